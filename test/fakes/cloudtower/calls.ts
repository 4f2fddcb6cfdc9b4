/** The calls of the API: what their bodies may hold, and what each does. Anything else in a body is refused. */
import { z } from 'zod';
import { clusterRecord, groupRecord, hostRecord, labelRecord, taskRecord, vmRecord } from './records.ts';
import { matches } from './filter.ts';
import { Refusal, type FakeCluster, type FakeHost, type FakeTask, type FakeVm } from './state.ts';
import type { Tower } from './tower.ts';

/**
 * The two shapes that some answers have. `sdk`: what the models of the SDK say; `docs`: what the sample of the documents
 * shows, and a list where the SDK has one object.
 */
export type Shape = 'sdk' | 'docs';

/** Throws ZodError when the body is not as it has to be, and Refusal. */
type Call = (tower: Tower, body: unknown, shape: Shape) => unknown;

const where = z.record(z.string(), z.unknown());
const ids = z.array(z.string());

const call =
  <S extends z.ZodType>(
    schema: S,
    answer: (tower: Tower, body: z.output<S>, shape: Shape) => unknown,
  ): Call =>
  (tower, body, shape) =>
    answer(tower, schema.parse(body), shape);

const listOf = (records: (tower: Tower) => object[]): Call =>
  call(
    z.strictObject({
      where: where.optional(),
      orderBy: z.string().optional(),
      first: z.int().min(1).optional(),
      skip: z.int().min(0).optional(),
      after: z.string().optional(),
      before: z.string().optional(),
      last: z.int().optional(),
    }),
    (tower, { where: filter = {}, first, skip = 0 }) =>
      records(tower)
        .filter((record) => matches(record, filter))
        .slice(skip, first === undefined ? undefined : skip + first),
  );

const onHost = z.strictObject({ where });
const onVm = z.strictObject({ where });
const onVmWithHost = z.strictObject({
  where,
  data: z.strictObject({ host_id: z.string() }).optional(),
});
const onLabel = z.strictObject({
  where,
  data: z.strictObject({ hosts: where.optional(), vms: where.optional() }),
});

export const CALLS: Readonly<Record<string, Call>> = {
  'get-clusters': listOf(clusters),
  'get-hosts': listOf(hosts),
  'get-vms': listOf(vms),
  'get-tasks': listOf(tasks),
  'get-labels': listOf(labels),
  'get-vm-placement-groups': listOf(groups),

  'enter-maintenance-mode-precheck': call(onHost, (tower, body) => ({
    task_id: tower.startPrecheck(hostBy(tower, body.where)).id,
  })),

  'enter-maintance-mode-precheck-result': call(
    z.strictObject({
      where: z.union([z.strictObject({ task_id: z.string() }), z.strictObject({ id: z.string() })]),
    }),
    (tower, { where: by }, shape) => {
      const { done, uuids } = tower.precheckResult('id' in by ? by.id : by.task_id);
      return { done, shutdownVms: shape === 'docs' ? uuids : uuids.map((vm_uuid) => ({ vm_uuid })) };
    },
  ),

  'enter-maintance-mode': call(
    z.strictObject({
      where: z.strictObject({ host_id: z.string() }),
      data: z.strictObject({ shutdown_vms: ids.optional() }),
    }),
    (tower, { where: { host_id: id }, data: { shutdown_vms: uuids = [] } }, shape) => {
      const host = hostBy(tower, { id });
      return maintenanceAnswer(tower, tower.enter(host, uuids), host, shape);
    },
  ),

  'exit-maintance-mode-precheck-result': call(onHost, (tower, body, shape) => {
    const taken = tower.takenFrom(hostBy(tower, body.where));
    const listed = (wanted: string): object[] =>
      taken
        .filter(({ how }) => how === wanted)
        .map(({ vm, target, changed }) => ({
          state: 'done',
          target_host_name: target.name,
          verify: { changed: changed !== '', reason: changed },
          vm_ha: vm.ha,
          vm_name: vm.name,
          vm_state: vm.status.toLowerCase(),
          vm_uuid: vm.localId,
        }));
    const result = {
      shutDownVms: listed('shut down'),
      liveMigrateVms: listed('live'),
      offlineMigrateVms: listed('offline'),
    };
    return shape === 'docs' ? [result] : result;
  }),

  'exit-maintance-mode': call(
    z.strictObject({
      where: z.strictObject({ host_id: z.string() }),
      data: z.strictObject({
        poweron_vms: ids.optional(),
        live_migrate_back_vms: ids.optional(),
        offline_migrate_back_vms: ids.optional(),
      }),
    }),
    (tower, { where: { host_id: id }, data }, shape) => {
      const host = hostBy(tower, { id });
      const task = tower.exit(host, {
        start: data.poweron_vms ?? [],
        live: data.live_migrate_back_vms ?? [],
        offline: data.offline_migrate_back_vms ?? [],
      });
      return maintenanceAnswer(tower, task, host, shape);
    },
  ),

  'migrate-vm': call(onVmWithHost, (tower, body) =>
    vmAnswers(tower, body.where, (vm) =>
      tower.migrate(vm, body.data && hostBy(tower, { id: body.data.host_id })),
    ),
  ),
  'shutdown-vm': call(onVm, (tower, body) =>
    vmAnswers(tower, body.where, (vm) => tower.switch(vm, 'STOPPED')),
  ),
  'start-vm': call(onVmWithHost, (tower, body) =>
    vmAnswers(tower, body.where, (vm) => tower.switch(vm, 'RUNNING')),
  ),

  'create-label': call(
    z.array(z.strictObject({ key: z.string(), value: z.string().optional() })).min(1),
    (tower, wanted) =>
      wanted.map(({ key, value = '' }) => {
        const { label, task } = tower.createLabel(key, value);
        return { task_id: task?.id ?? null, data: labelRecord(label) };
      }),
  ),
  'add-labels-to-resources': call(onLabel, (tower, body) =>
    labelAnswers(tower, body, (on, id) => {
      on.add(id);
    }),
  ),
  'remove-labels-from-resources': call(onLabel, (tower, body) =>
    labelAnswers(tower, body, (on, id) => {
      on.delete(id);
    }),
  ),
  'delete-label': call(z.strictObject({ where }), (tower, body) =>
    [...tower.labels.values()]
      .filter((label) => matches(labelRecord(label), body.where))
      .map((label) => ({ task_id: tower.deleteLabel(label)?.id ?? null, data: { id: label.id } })),
  ),
};

function clusters(tower: Tower): object[] {
  return [...tower.clusters.values()].map((one) =>
    clusterRecord(
      one,
      [...tower.hosts.values()].filter(({ cluster }) => cluster === one.id),
    ),
  );
}

function hosts(tower: Tower): object[] {
  return [...tower.hosts.values()].map((host) => recordOfHost(tower, host));
}

function recordOfHost(tower: Tower, host: FakeHost): object {
  const on = [...tower.vms.values()].filter((vm) => vm.host === host.id);
  return hostRecord(host, clusterOf(tower, host), on, tower.labelsOn(host.id));
}

function vms(tower: Tower): object[] {
  return [...tower.vms.values()].map((vm) => recordOfVm(tower, vm));
}

function recordOfVm(tower: Tower, vm: FakeVm): object {
  const host = tower.hosts.get(vm.host);
  const isHidden = tower.hidesHostsOfStopped && vm.status === 'STOPPED';
  return vmRecord(vm, isHidden ? undefined : host, clusterOf(tower, host), tower.labelsOn(vm.id));
}

function tasks(tower: Tower): object[] {
  return tower.tasks().map((task) => taskRecord(task, tower.progressOf(task)));
}

function labels(tower: Tower): object[] {
  return [...tower.labels.values()].map(labelRecord);
}

function groups(tower: Tower): object[] {
  const all = [...tower.vms.values()];
  const names = new Set(all.flatMap(({ group }) => group ?? []));
  return [...names].map((name) => {
    const members = all.filter(({ group }) => group === name);
    return groupRecord(name, clusterOf(tower, tower.hosts.get(members[0]?.host ?? '')), members);
  });
}

function clusterOf(tower: Tower, host: FakeHost | undefined): FakeCluster {
  const found = host && tower.clusters.get(host.cluster);
  if (!found) throw new Error('every host of the fake is in a cluster');
  return found;
}

function hostBy(tower: Tower, filter: object): FakeHost {
  const [found, ...more] = [...tower.hosts.values()].filter((host) =>
    matches(recordOfHost(tower, host), filter),
  );
  if (!found) throw new Refusal(404, 'Host not found');
  if (more.length > 0) throw new Refusal(400, 'The filter has to name one host');
  return found;
}

function maintenanceAnswer(tower: Tower, task: FakeTask, host: FakeHost, shape: Shape): unknown {
  const answer = { task_id: task.id, data: recordOfHost(tower, host) };
  return shape === 'docs' ? [answer] : answer;
}

function vmAnswers(tower: Tower, filter: object, work: (vm: FakeVm) => FakeTask): object[] {
  return [...tower.vms.values()]
    .filter((vm) => matches(recordOfVm(tower, vm), filter))
    .map((vm) => ({ task_id: work(vm).id, data: recordOfVm(tower, vm) }));
}

function labelAnswers(
  tower: Tower,
  { where: filter, data }: z.output<typeof onLabel>,
  change: (on: Set<string>, id: string) => void,
): object[] {
  const [label] = [...tower.labels.values()].filter((one) => matches(labelRecord(one), filter));
  if (!label) throw new Refusal(404, 'Label not found');
  const { hosts: hostFilter, vms: vmFilter } = data;
  const bearers = [
    ...(hostFilter === undefined
      ? []
      : [...tower.hosts.values()].filter((one) => matches(recordOfHost(tower, one), hostFilter))),
    ...(vmFilter === undefined
      ? []
      : [...tower.vms.values()].filter((one) => matches(recordOfVm(tower, one), vmFilter))),
  ];
  const task = tower.changeLabel(label, () => {
    for (const { id } of bearers) change(label.on, id);
  });
  return [{ task_id: task?.id ?? null, data: labelRecord(label) }];
}
