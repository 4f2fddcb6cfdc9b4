/** Single VMs: moved, shut down and started, each by a task of its own. */
import { MaintenanceError } from '../../core/errors.ts';
import { oneLine } from '../../core/listed.ts';
import { formatMark, parseMark, type Mark } from '../../core/mark.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import type { Api } from './api.ts';
import { markLabelOf } from './inventory.ts';
import type { Labels } from './labels.ts';
import type { Site } from './site.ts';
import { NO_TASK, type Tasks } from './tasks.ts';
import { startedTasks, type VmInfo } from './wire.ts';

type Kind = 'move' | 'stop' | 'start';

const CALLS: Readonly<Record<Kind, string>> = {
  move: 'migrate-vm',
  stop: 'shutdown-vm',
  start: 'start-vm',
};

interface Parts {
  api: Api;
  site: Site;
  tasks: Tasks;
  labels: Labels;
}

export class Vms {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @param target id of a host; absent: CloudTower chooses. Throws PlatformBusy while the VM moves already. */
  async move(
    id: string,
    { how, target }: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    const vm = await this.#look(id, context);
    if (await this.find('move', id, context)) {
      throw new MaintenanceError('PlatformBusy', `${vm.name} is being moved already`);
    }
    if ((how === 'cold') !== (vm.status === 'STOPPED')) {
      const way = how === 'cold' ? 'is not moved cold' : 'cannot move live';
      throw new MaintenanceError('MoveRefused', `${vm.name} is ${vm.status}: it ${way}`);
    }
    return this.#start('move', vm, target === undefined ? {} : { data: { host_id: target } }, context);
  }

  /** The mark comes first: a VM that is stopped without one would stay so. */
  async stop(id: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    const vm = await this.#look(id, context);
    if (vm.status === 'STOPPED') return { id: NO_TASK, kind: 'stop', subject: id };
    await this.#parts.labels.put(formatMark(mark), { vms: { id_in: [id] } }, context);
    return this.#start('stop', vm, {}, context);
  }

  /** The mark goes last, when the VM runs: see `poll`. Throws OperatorInterfered when somebody else has stopped it. */
  async start(id: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    const vm = await this.#look(id, context);
    if (vm.status === 'RUNNING') return { id: NO_TASK, kind: 'start', subject: id };
    const found = markLabelOf(vm)?.value;
    if (found !== formatMark(mark)) {
      const who = oneLine(found ?? 'somebody else', 200);
      throw new MaintenanceError('OperatorInterfered', `${vm.name} was stopped by ${who}`);
    }
    if (vm.in_recycle_bin === true) {
      throw new MaintenanceError('OperatorInterfered', `${vm.name} is in the recycle bin`);
    }
    return this.#start('start', vm, {}, context);
  }

  async find(kind: Kind, id: string, context: CallContext): Promise<PlatformTask | undefined> {
    const task = await this.#parts.tasks.find(kind, id, context);
    return task && { id: task.id, kind, subject: id };
  }

  async poll(kind: Kind, { id, subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    if (kind === 'move') return this.#status(kind, id, context);
    const vm = await this.#parts.site.findVm(subject, context);
    if (!vm) return { state: 'vanished' };
    const isDone = vm.status === (kind === 'start' ? 'RUNNING' : 'STOPPED');
    const status: TaskStatus = isDone ? { state: 'done' } : await this.#status(kind, id, context);
    const isOver = kind === 'start' ? isDone : status.state === 'failed';
    if (isOver) await this.#clearMark(vm, context);
    return status;
  }

  async #status(kind: Kind, id: string, context: CallContext): Promise<TaskStatus> {
    return id === NO_TASK ? { state: 'vanished' } : this.#parts.tasks.status(kind, id, context);
  }

  async #clearMark(vm: VmInfo, context: CallContext): Promise<void> {
    const label = markLabelOf(vm);
    if (label && parseMark(label.value)) {
      await this.#parts.labels.take(label, { vms: { id_in: [vm.id] } }, context);
    }
  }

  async #start(kind: Kind, { id, name }: VmInfo, more: object, context: CallContext): Promise<PlatformTask> {
    const body = { where: { id }, ...more };
    const [started] = await this.#parts.api.change(CALLS[kind], body, startedTasks, context);
    if (!started) throw new MaintenanceError('NotFound', `CloudTower does not know ${name} any more`);
    return { id: started.task_id ?? NO_TASK, kind, subject: id };
  }

  /** Throws NotFound. */
  async #look(id: string, context: CallContext): Promise<VmInfo> {
    const vm = await this.#parts.site.findVm(id, context);
    if (!vm) throw new MaintenanceError('NotFound', `CloudTower has no VM ${id}`);
    return vm;
  }
}
