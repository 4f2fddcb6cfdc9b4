/** Stopping and starting VMs as tasks, with our mark on them as long as they are stopped by us. */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import { formatMark, parseMark, type Mark } from '../../core/mark.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { oneLine } from '../../core/listed.ts';
import { whyNoRoom } from './attribute.ts';
import { isPoweredOn, recentTasks, runningTasks } from './inventory.ts';
import { isRefusal } from './fault.ts';
import type { Marks } from './marks.ts';
import { failureOf, readTask, statusOf } from './tasks.ts';
import { NO_TASK } from './ticket.ts';
import type { Vim } from './vim.ts';
import type { Ref, TaskInfo, VmProps } from './wire.ts';
import type { World } from './world.ts';

/** A guest that has not shut down by itself after this long is switched off. */
const GUEST_MS = 5 * 60_000;

/** The id of a guest's own shutdown, which is no task of vCenter's, with the time when it began. */
const GUEST = 'guest-';

/** `descriptionId` of the tasks that switch a VM. */
const POWER_TASKS = { stop: 'VirtualMachine.powerOff', start: 'VirtualMachine.powerOn' } as const;

export interface SeenVm {
  ref: Ref;
  props: VmProps;
  world: World;
  /** What the attribute says. */
  mark: string | undefined;
}

export const isOn = ({ props }: SeenVm): boolean => isPoweredOn(props);

/** Throws MoveRefused when somebody's own text is where a note of ours has to stand. */
export function refuseForeignText({ props, mark }: SeenVm): void {
  const reason = whyNoRoom(mark);
  if (reason !== undefined) throw new MaintenanceError('MoveRefused', `${props.name}: ${reason}`);
}

export class Power {
  readonly #vim: Vim;
  readonly #marks: Marks;
  /** Throws NotFound. */
  readonly #look: (vm: string, context: CallContext) => Promise<SeenVm>;

  constructor(vim: Vim, marks: Marks, look: (vm: string, context: CallContext) => Promise<SeenVm>) {
    this.#vim = vim;
    this.#marks = marks;
    this.#look = look;
  }

  /** The mark comes first: a VM that is stopped without one would stay so. */
  async stop(vm: SeenVm, mark: Mark, context: CallContext): Promise<PlatformTask> {
    if (!isOn(vm)) return taskOf('stop', vm, NO_TASK);
    refuseForeignText(vm);
    await this.#marks.set(vm.ref, formatMark(mark), context);
    try {
      return taskOf('stop', vm, await this.switchOff(vm, context));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // A request whose answer was lost has switched it off: it needs the mark to be started again.
      if (!isOn(await this.#look(vm.ref.value, context))) return taskOf('stop', vm, NO_TASK);
      if (vm.mark !== formatMark(mark)) await this.#marks.clear(vm.ref, context);
      throw error;
    }
  }

  /** The mark goes last, when the VM runs: see `poll`. */
  async start(vm: SeenVm, mark: Mark, context: CallContext): Promise<PlatformTask> {
    if (isOn(vm)) return taskOf('start', vm, NO_TASK);
    if (vm.mark !== formatMark(mark)) {
      throw new MaintenanceError(
        'OperatorInterfered',
        `${vm.props.name} was stopped by ${oneLine(vm.mark ?? 'somebody else', 200)}`,
      );
    }
    return taskOf('start', vm, await this.switchOn(vm, context));
  }

  /** Asks the guest to shut down where it can hear that, and else switches the VM off. Resolves to the id of a task. */
  async switchOff({ ref, props }: SeenVm, context: CallContext): Promise<string> {
    if (props['guest.toolsRunningStatus'] === 'guestToolsRunning') {
      await this.#vim.invoke({ on: ref, method: 'ShutdownGuest', schema: z.unknown() }, context);
      return `${GUEST}${Date.now()}`;
    }
    return (await this.#vim.startTask(ref, 'PowerOffVM_Task', {}, context)).value;
  }

  async switchOn({ ref }: SeenVm, context: CallContext): Promise<string> {
    return (await this.#vim.startTask(ref, 'PowerOnVM_Task', {}, context)).value;
  }

  find(turn: 'stop' | 'start', vm: SeenVm): PlatformTask | undefined {
    const running = runningTasks(vm.props, vm.world).find(
      ({ descriptionId }) => descriptionId === POWER_TASKS[turn],
    );
    return running && taskOf(turn, vm, running.task.value);
  }

  /** The latest task that switched it, or tried to. */
  last(turn: 'stop' | 'start', { props, world }: SeenVm): TaskInfo | undefined {
    return recentTasks(props, world)
      .filter(({ descriptionId }) => descriptionId === POWER_TASKS[turn])
      .sort((a, b) => a.queueTime.localeCompare(b.queueTime))
      .at(-1);
  }

  async poll(
    turn: 'stop' | 'start',
    { id, subject }: PlatformTask,
    context: CallContext,
  ): Promise<TaskStatus> {
    const vm = await this.#look(subject, context);
    if (isOn(vm) === (turn === 'start')) {
      if (turn === 'start') await this.#clearMark(vm, context);
      return { state: 'done' };
    }
    const status = await this.pollSwitch(turn, id, vm, context);
    if (status.state === 'failed' && turn === 'stop') await this.#clearMark(vm, context);
    return status;
  }

  async #clearMark({ ref, mark }: SeenVm, context: CallContext): Promise<void> {
    if (parseMark(mark)) await this.#marks.clear(ref, context);
  }

  /** How switching stands of a VM that is not yet as it should be. */
  async pollSwitch(
    turn: 'stop' | 'start',
    task: string,
    vm: SeenVm,
    context: CallContext,
  ): Promise<TaskStatus> {
    if (this.find(turn, vm)) return { state: 'running', detail: turn };
    if (task.startsWith(GUEST)) {
      const deadline = Number(task.slice(GUEST.length)) + GUEST_MS;
      if (Date.now() < deadline) return { state: 'running', detail: 'the guest shuts down' };
      const last = this.last('stop', vm);
      if (last?.state === 'error' && Date.parse(last.queueTime) >= deadline) return statusOf(turn, last);
      await this.#vim.startTask(vm.ref, 'PowerOffVM_Task', {}, context);
      return { state: 'running', detail: 'switched off, since the guest did not shut down' };
    }
    const status = statusOf(turn, await readTask(this.#vim, task, context));
    // It was done, and undone by somebody.
    if (status.state !== 'done') return status;
    return { state: 'failed', error: failureOf(turn, undefined, `${turn} of ${vm.props.name}`) };
  }
}

const taskOf = (turn: 'stop' | 'start', { ref }: SeenVm, id: string): PlatformTask => ({
  id,
  kind: turn,
  subject: ref.value,
});
