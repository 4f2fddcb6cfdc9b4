/**
 * CloudTower's own maintenance: the pre-check that says what has to be shut down, the way in, and the way out with what
 * the way in did to the VMs. "maintance" is the vendor's spelling.
 */
import { MaintenanceError } from '../../core/errors.ts';
import type { ExitPlan } from '../../core/exit-plan.ts';
import type { InstanceRef } from '../../core/host-run.ts';
import { formatMark, type Mark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { findNamed, obstaclesBeside } from './abilities.ts';
import type { Api } from './api.ts';
import { isEntering, isInMaintenance, markLabelOf } from './inventory.ts';
import type { Labels } from './labels.ts';
import type { Site } from './site.ts';
import { NO_TASK, type Tasks } from './tasks.ts';
import {
  exitPrecheckResult,
  precheckResult,
  precheckTask,
  startedTasks,
  type HostInfo,
  type TakenVm,
  type VmInfo,
} from './wire.ts';

/** Lists of the exit, as its call names them: what each of them does to a VM. */
const EXIT_LISTS = {
  start: 'poweron_vms',
  live: 'live_migrate_back_vms',
  cold: 'offline_migrate_back_vms',
} as const;

/** A VM that CloudTower has shut down or taken away, and can give back. */
interface Taken extends InstanceRef {
  /** What the calls of the maintenance know it by. */
  uuid: string;
  how: keyof typeof EXIT_LISTS;
  /** Undefined when CloudTower does not know it any more. */
  vm: VmInfo | undefined;
  /** Why it is not as the maintenance has left it. */
  changed?: string;
}

type Gives = Pick<ExitPlan, 'start' | 'back'>;

interface Parts {
  api: Api;
  site: Site;
  tasks: Tasks;
  labels: Labels;
}

export class Maintenance {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async check(name: string, context: CallContext): Promise<PlatformTask> {
    const { api, site } = this.#parts;
    const body = { where: { id: await site.hostId(name, context) } };
    const { task_id } = await api.change('enter-maintenance-mode-precheck', body, precheckTask, context);
    return { id: task_id, kind: 'check', subject: name };
  }

  /**
   * What has to be shut down, by an id of each VM. Throws PlatformBusy while the check runs, and PlatformGarbled when
   * CloudTower has forgotten it.
   */
  async toShutDown({ id, subject }: PlatformTask, context: CallContext): Promise<Set<string>> {
    const result = await unlessGone(this.#result(id, context));
    if (!result)
      throw new MaintenanceError('PlatformGarbled', `CloudTower has forgotten its pre-check of ${subject}`);
    if (!result.done) throw new MaintenanceError('PlatformBusy', `the pre-check of ${subject} still runs`);
    return new Set(result.shutdownVms);
  }

  /**
   * Throws HostBlocked while another host of the cluster is out: another session may have taken it since the precheck.
   *
   * @param stops ids of the VMs that may be shut down; they are marked first, so that whoever finds them starts them
   */
  async enter(
    name: string,
    mark: Mark,
    { stops, ...request }: MaintenanceRequest & { stops: readonly string[] },
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const { site, labels } = this.#parts;
    const { info, vms } = await site.look(name, context);
    if (isInMaintenance(info)) return undefined;
    const running = await this.#running('enter', name, info, context);
    if (running) return running;
    const { blockers } = obstaclesBeside(info, await site.peersOf(info, context), request);
    if (blockers.length > 0) throw new MaintenanceError('HostBlocked', blockers.join('; '));
    const stopped = vms.filter(({ id, status }) => stops.includes(id) && status !== 'STOPPED');
    if (stopped.length > 0) {
      await labels.put(formatMark(mark), { vms: { id_in: stopped.map(({ id }) => id) } }, context);
    }
    const data = { shutdown_vms: stopped.map(({ id, local_id }) => local_id ?? id) };
    return this.#start('enter', name, info, data, context);
  }

  async planExit(name: string, context: CallContext): Promise<ExitPlan> {
    const info = await this.#parts.site.lookAtHost(name, context);
    const plan: ExitPlan = { start: [], back: [], changed: [] };
    if (!isInMaintenance(info)) return plan;
    for (const { id, name: vmName, how, changed } of await this.#taken(info, context)) {
      if (changed !== undefined) plan.changed.push({ id, name: vmName, reason: changed });
      else if (how === 'start') plan.start.push({ id, name: vmName });
      else plan.back.push({ id, name: vmName, how });
    }
    return plan;
  }

  /**
   * Starts the way out. What was shut down and is not given back keeps no mark: it stays as it is.
   *
   * @param gives absent: what was shut down is started, and nothing comes back
   */
  async exit(
    name: string,
    mark: Mark,
    gives: Gives | undefined,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const info = await this.#parts.site.lookAtHost(name, context);
    if (isEntering(info)) {
      throw new MaintenanceError('PlatformBusy', `${name} cannot leave while it still enters maintenance`);
    }
    if (!isInMaintenance(info)) return undefined;
    const running = await this.#running('exit', name, info, context);
    if (running) return running;
    const taken = await this.#taken(info, context);
    const given = taken.filter((one) => isGiven(one, gives));
    await this.#forget(
      taken.filter((one) => one.how === 'start' && !given.includes(one)),
      mark,
      context,
    );
    const uuids = (wanted: Taken['how']): string[] =>
      given.filter(({ how }) => how === wanted).map(({ uuid }) => uuid);
    const data = Object.fromEntries(
      Object.entries(EXIT_LISTS).map(([how, listName]) => [listName, uuids(how as Taken['how'])]),
    );
    return this.#start('exit', name, info, data, context);
  }

  async find(kind: 'enter' | 'exit', name: string, context: CallContext): Promise<PlatformTask | undefined> {
    return this.#running(kind, name, await this.#parts.site.lookAtHost(name, context), context);
  }

  /**
   * Where CloudTower does not know the task any more, the host says whether it is still on its way. So it does when the task
   * is done: what CloudTower knows of a host it is told by the cluster, a little later.
   */
  async poll(
    kind: 'enter' | 'exit',
    { id, subject }: PlatformTask,
    context: CallContext,
  ): Promise<TaskStatus> {
    const { tasks, site } = this.#parts;
    const status: TaskStatus = id === NO_TASK ? { state: 'vanished' } : await tasks.status(kind, id, context);
    if (status.state !== 'vanished' && status.state !== 'done') return status;
    const info = await site.lookAtHost(subject, context);
    const isOnItsWay =
      kind === 'enter' ? isEntering(info) : isInMaintenance(info) && info.entityAsyncStatus !== undefined;
    return isOnItsWay ? { state: 'running', detail: `${subject} is ${info.host_state?.state}` } : status;
  }

  /** A check that does not come to its end is asked about as a task, too. */
  async pollCheck({ id }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const result = await unlessGone(this.#result(id, context));
    if (!result) return { state: 'vanished' };
    if (result.done) return { state: 'done' };
    const status = await this.#parts.tasks.status('check', id, context);
    return status.state === 'failed' ? status : { state: 'running', detail: 'the pre-check runs' };
  }

  #result(task_id: string, context: CallContext) {
    const body = { where: { task_id } };
    return this.#parts.api.read('enter-maintance-mode-precheck-result', body, precheckResult, context);
  }

  /** What runs already. A host that is entering has a task, even where CloudTower does not show it. */
  async #running(
    kind: 'enter' | 'exit',
    subject: string,
    info: HostInfo,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const task = await this.#parts.tasks.find(kind, info.id, context);
    if (task) return { id: task.id, kind, subject };
    return kind === 'enter' && isEntering(info) ? { id: NO_TASK, kind, subject } : undefined;
  }

  async #start(
    kind: 'enter' | 'exit',
    subject: string,
    { id: host_id }: HostInfo,
    data: object,
    context: CallContext,
  ): Promise<PlatformTask> {
    const call = `${kind}-maintance-mode`;
    const [started] = await this.#parts.api.change(call, { where: { host_id }, data }, startedTasks, context);
    if (!started) throw new MaintenanceError('NotFound', `CloudTower does not know ${subject} any more`);
    return { id: started.task_id ?? NO_TASK, kind, subject };
  }

  async #taken({ id }: HostInfo, context: CallContext): Promise<Taken[]> {
    const { api, site } = this.#parts;
    const body = { where: { id } };
    const found = await api.read('exit-maintance-mode-precheck-result', body, exitPrecheckResult, context);
    const all = [
      ...found.shutDownVms.map((one) => ({ one, how: 'start' as const })),
      ...found.liveMigrateVms.map((one) => ({ one, how: 'live' as const })),
      ...found.offlineMigrateVms.map((one) => ({ one, how: 'cold' as const })),
    ];
    const uuids = all.flatMap(({ one }) => one.vm_uuid ?? []);
    if (uuids.length === 0) return [];
    const vms = await site.vmsOf(uuids, context);
    return all.flatMap(({ one, how }) => toTaken(one, how, vms) ?? []);
  }

  async #forget(taken: readonly Taken[], mark: Mark, context: CallContext): Promise<void> {
    const marked = taken.flatMap(({ vm }) => (vm && markLabelOf(vm)?.value === formatMark(mark) ? [vm] : []));
    const [first] = marked;
    const label = first && markLabelOf(first);
    if (!label) return;
    await this.#parts.labels.take(label, { vms: { id_in: marked.map(({ id }) => id) } }, context);
  }
}

function toTaken(
  { vm_uuid: uuid, vm_name, verify }: TakenVm,
  how: Taken['how'],
  vms: readonly VmInfo[],
): Taken | undefined {
  if (uuid === undefined) return undefined;
  const vm = findNamed(vms, uuid);
  const reason = verify?.reason === undefined || verify.reason === '' ? undefined : verify.reason;
  const isChanged = verify?.changed === true || vm === undefined;
  const why = vm
    ? `${reason ?? 'it is not as the maintenance has left it'}, it is ${whereIs(vm)}`
    : (reason ?? 'CloudTower does not know it any more');
  return {
    uuid,
    how,
    vm,
    id: vm?.id ?? uuid,
    name: vm?.name ?? vm_name ?? uuid,
    ...(isChanged ? { changed: why } : {}),
  };
}

const whereIs = ({ status, host }: VmInfo): string =>
  host?.name === undefined ? status : `${status} on ${host.name}`;

function isGiven({ id, how, changed }: Taken, gives: Gives | undefined): boolean {
  if (changed !== undefined) return false;
  if (gives === undefined) return how === 'start';
  return (how === 'start' ? gives.start : gives.back).some((one) => one.id === id);
}
