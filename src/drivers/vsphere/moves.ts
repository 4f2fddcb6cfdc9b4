/** Moves as tasks: a live one is one task of vCenter's, a cold one of a VM that runs is several. */
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { ColdMoves } from './cold-moves.ts';
import { isFault, vendorOf } from './fault.ts';
import { isMove, runningTasks } from './inventory.ts';
import type { Marks } from './marks.ts';
import { isOn, type Power, type SeenVm } from './power.ts';
import { cancelTask, readTask, statusOf } from './tasks.ts';
import type { Vim } from './vim.ts';
import { toWire, type Ref } from './wire.ts';

export class Moves {
  readonly #vim: Vim;
  readonly #cold: ColdMoves;

  constructor(
    vim: Vim,
    marks: Marks,
    power: Power,
    look: (vm: string, context: CallContext) => Promise<SeenVm>,
  ) {
    this.#vim = vim;
    this.#cold = new ColdMoves({ vim, marks, power, look, relocate: (...args) => this.#relocate(...args) });
  }

  /** Throws PlatformBusy while the VM moves already. */
  async start(vm: SeenVm, how: 'live' | 'cold', target: Ref, context: CallContext): Promise<PlatformTask> {
    if (this.find(vm)) throw new MaintenanceError('PlatformBusy', `${vm.props.name} is being moved already`);
    if (isOn(vm) && how === 'cold') return this.#cold.start(vm, target, context);
    if (!isOn(vm) && how === 'live') {
      throw new MaintenanceError('MoveRefused', `${vm.props.name} is ${vm.props['runtime.powerState']}`);
    }
    return taskOf(vm, await this.#relocate(vm, target, context));
  }

  /** The move that is under way, whoever began it. */
  find(vm: SeenVm): PlatformTask | undefined {
    const cold = this.#cold.find(vm);
    if (cold) return cold;
    const running = runningTasks(vm.props, vm.world).find(isMove);
    return running && taskOf(vm, running.task.value);
  }

  async poll(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    if (ColdMoves.isOne(task)) return this.#cold.poll(task, context);
    return statusOf('move', await readTask(this.#vim, task.id, context));
  }

  /** A cold one is seen to its end: the VM is off by then, and has to be started again somewhere. */
  async cancel(task: PlatformTask, context: CallContext): Promise<void> {
    if (!ColdMoves.isOne(task)) await cancelTask(this.#vim, task.id, context);
  }

  /** The resource pool stays: it is the cluster's, and so is the target. */
  async #relocate(vm: SeenVm, target: Ref, context: CallContext): Promise<string> {
    const spec = { _typeName: 'VirtualMachineRelocateSpec', host: toWire(target) };
    try {
      return (await this.#vim.startTask(vm.ref, 'RelocateVM_Task', { spec }, context)).value;
    } catch (error) {
      if (!(error instanceof MaintenanceError) || !isFault(error, 'InvalidState')) throw error;
      // The target has entered maintenance since it was looked at.
      throw new MaintenanceError('NoTarget', error.message, vendorOf(error));
    }
  }
}

const taskOf = ({ ref }: SeenVm, id: string): PlatformTask => ({ id, kind: 'move', subject: ref.value });
