/**
 * Cold moves of VMs that run: shut down, relocated, started again. What is being done stands in the attribute of the VM,
 * so that whoever looks next goes on with it, whatever became of who began.
 */
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { isRefusal, vendorOf } from './fault.ts';
import { isMove, runningTasks } from './inventory.ts';
import type { Marks } from './marks.ts';
import { isOn, refuseForeignText, type Power, type SeenVm } from './power.ts';
import { failureOf, readTask } from './tasks.ts';
import { formatTicket, NO_TASK, parseTicket, type Phase, type Ticket } from './ticket.ts';
import type { Vim } from './vim.ts';
import type { Ref } from './wire.ts';

const ID = 'cold-move';

export interface ColdMovesParts {
  vim: Vim;
  marks: Marks;
  power: Power;
  look: (vm: string, context: CallContext) => Promise<SeenVm>;
  /** Resolves to the id of the task. */
  relocate: (vm: SeenVm, target: Ref, context: CallContext) => Promise<string>;
}

export class ColdMoves {
  readonly #parts: ColdMovesParts;

  constructor(parts: ColdMovesParts) {
    this.#parts = parts;
  }

  static isOne = ({ id }: PlatformTask): boolean => id === ID;

  /** The ticket comes first: a VM that is shut down without one would stay so. */
  async start(vm: SeenVm, target: Ref, context: CallContext): Promise<PlatformTask> {
    const { marks, power, look } = this.#parts;
    refuseForeignText(vm);
    const from = vm.props['runtime.host']?.value ?? NO_TASK;
    const ticket: Ticket = { from, to: target.value, phase: 'down', task: NO_TASK };
    await marks.set(vm.ref, formatTicket(ticket), context);
    try {
      await this.#enter(vm, { ...ticket, task: await power.switchOff(vm, context) }, context);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A request whose answer was lost has switched it off.
      if (isOn(await look(vm.ref.value, context))) {
        await marks.clear(vm.ref, context);
        throw error;
      }
    }
    return taskOf(vm);
  }

  find(vm: SeenVm): PlatformTask | undefined {
    return parseTicket(vm.mark) && taskOf(vm);
  }

  /** Looks where the VM stands, and begins what comes next. */
  async poll({ subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const vm = await this.#parts.look(subject, context);
    const ticket = parseTicket(vm.mark);
    if (!ticket) return { state: 'vanished' };
    switch (ticket.phase) {
      case 'down':
        return this.#pollDown(vm, ticket, context);
      case 'over':
        return this.#pollOver(vm, ticket, context);
      case 'up':
      case 'back':
        return this.#pollStart(vm, ticket, context);
      case 'stuck':
        // Somebody asks again: what kept it from starting may be gone, or it was started by hand.
        return isAt(vm, ticket) ? this.#goUp(vm, ticket, context) : this.#turnBack(vm, ticket, context);
    }
  }

  async #pollDown(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    const { power } = this.#parts;
    if (isOn(vm)) {
      // Whoever wrote the ticket died before it was told.
      if (ticket.task === NO_TASK) {
        return this.#enter(vm, { ...ticket, task: await power.switchOff(vm, context) }, context);
      }
      const status = await power.pollSwitch('stop', ticket.task, vm, context);
      if (status.state === 'running') return status;
      await this.#parts.marks.clear(vm.ref, context);
      const error = status.state === 'failed' ? status.error : failureOf('stop', undefined, 'shutting down');
      return { state: 'failed', error: notMoved(vm, error) };
    }
    if (runningTasks(vm.props, vm.world).some(isMove)) return running('over');
    if (isAt(vm, ticket)) return this.#goUp(vm, ticket, context);
    return this.#relocate(vm, ticket, context);
  }

  async #relocate(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    try {
      const target: Ref = { type: 'HostSystem', value: ticket.to };
      const task = await this.#parts.relocate(vm, target, context);
      return await this.#enter(vm, { ...ticket, phase: 'over', task }, context);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#turnBack(vm, ticket, context);
    }
  }

  async #pollOver(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    if (runningTasks(vm.props, vm.world).some(isMove)) return running('over');
    return isAt(vm, ticket) ? this.#goUp(vm, ticket, context) : this.#turnBack(vm, ticket, context);
  }

  async #goUp(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    try {
      const task = await this.#switchOn(vm, context);
      return await this.#enter(vm, { ...ticket, phase: 'up', task }, context);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#leaveOff(vm, ticket, error, context);
    }
  }

  /** Keeps the id of the relocation that failed: it says why. */
  async #turnBack(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    try {
      await this.#switchOn(vm, context);
      return await this.#enter(vm, { ...ticket, phase: 'back' }, context);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#leaveOff(vm, ticket, error, context);
    }
  }

  /** Unless it is on, or about to be: whoever asked for that may have died before the ticket said so. */
  async #switchOn(vm: SeenVm, context: CallContext): Promise<string> {
    const { power } = this.#parts;
    if (isOn(vm)) return NO_TASK;
    return power.find('start', vm)?.id ?? (await power.switchOn(vm, context));
  }

  async #pollStart(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    const { power, look } = this.#parts;
    if (isOn(vm)) return this.#finish(vm, ticket, context);
    if (power.find('start', vm)) return running(ticket.phase);
    const last = power.last('start', vm);
    if (last?.state === 'error') {
      return this.#leaveOff(vm, ticket, failureOf('start', last.error, 'starting it'), context);
    }
    // The platform has forgotten it.
    if (!last)
      return ticket.phase === 'up' ? this.#goUp(vm, ticket, context) : this.#turnBack(vm, ticket, context);
    // It was started after this look, or switched off again by somebody, whose wish that is.
    const again = await look(vm.ref.value, context);
    return isOn(again) ? running(ticket.phase) : this.#finish(again, ticket, context);
  }

  async #finish(vm: SeenVm, { phase, task }: Ticket, context: CallContext): Promise<TaskStatus> {
    const { vim, marks } = this.#parts;
    await marks.clear(vm.ref, context);
    if (phase === 'up') return { state: 'done' };
    const why = await readTask(vim, task, context);
    return { state: 'failed', error: failureOf('move', why?.error, `relocating ${vm.props.name}`) };
  }

  /** It was shut down, and does not start again: somebody has to see to it. The ticket stays until it runs. */
  async #leaveOff(
    vm: SeenVm,
    ticket: Ticket,
    cause: MaintenanceError,
    context: CallContext,
  ): Promise<TaskStatus> {
    await this.#enter(vm, { ...ticket, phase: 'stuck' }, context);
    const message = `${vm.props.name} was shut down to be moved, and does not start: ${cause.message}`;
    return { state: 'failed', error: new MaintenanceError('InstanceFailed', message, vendorOf(cause)) };
  }

  async #enter(vm: SeenVm, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    await this.#parts.marks.set(vm.ref, formatTicket(ticket), context);
    return running(ticket.phase);
  }
}

const isAt = ({ props }: SeenVm, { to }: Ticket): boolean => props['runtime.host']?.value === to;

const running = (phase: Phase): TaskStatus => ({ state: 'running', detail: `cold move: ${phase}` });

const notMoved = (vm: SeenVm, cause: MaintenanceError): MaintenanceError =>
  new MaintenanceError('MoveFailed', `${vm.props.name} was not moved: ${cause.message}`, vendorOf(cause));

const taskOf = ({ ref }: SeenVm): PlatformTask => ({ id: ID, kind: 'move', subject: ref.value });
