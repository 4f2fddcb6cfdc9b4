/**
 * Objects of the API in full: whatever the vendor's SDK (cloudtower-sdk 2.23.0, its models) does not call optional is
 * there, and never null.
 */
import type { FakeCluster, FakeHost, FakeLabel, FakeTask, FakeVm } from './state.ts';

type Reference = { id: string; name: string };

const CREATED_AT = '2026-01-05T08:00:00.000Z';

export const clusterRecord = ({ id, name }: FakeCluster, hosts: readonly FakeHost[]): object => ({
  id,
  name,
  local_id: `local-${id}`,
  architecture: 'X86_64',
  connect_state: 'CONNECTED',
  dns: [],
  ntp_servers: [],
  host_num: hosts.length,
  hypervisor: 'ELF',
  ip: '192.0.2.10',
  recommended_cpu_models: [],
  total_cpu_models: [],
  type: 'SMTX_OS',
  version: '6.2.0',
});

export function hostRecord(
  host: FakeHost,
  cluster: FakeCluster,
  vms: readonly FakeVm[],
  labels: readonly FakeLabel[],
): object {
  const count = (status: FakeVm['status']): number => vms.filter((vm) => vm.status === status).length;
  return {
    id: host.id,
    local_id: `local-${host.id}`,
    name: host.name,
    cluster: { id: cluster.id, name: cluster.name },
    status: host.status,
    connect_status: host.status.startsWith('CONNECTED') ? 'CONNECTED' : 'DISCONNECTED',
    merged_status: mergedStatusOf(host),
    state: 'IN_USE',
    host_state: {
      state: host.state,
      enter_maintenance_time: host.enteredAt ?? '',
      maintenance_job_id: host.state === 'IN_USE' ? '' : `job-${host.id}`,
    },
    entityAsyncStatus: host.busy ? 'UPDATING' : null,
    labels: labels.map(nestedLabel),
    vms: vms.map(reference),
    vm_num: vms.length,
    running_vm_num: count('RUNNING'),
    stopped_vm_num: count('STOPPED'),
    suspended_vm_num: count('SUSPENDED'),
    total_cpu_cores: 32,
    total_cpu_hz: 64_000_000_000,
    cpu_hz_per_core: 2_000_000_000,
    total_memory_bytes: host.memoryBytes + host.systemMemoryBytes,
    os_memory_bytes: host.systemMemoryBytes,
    allocatable_memory_bytes: host.memoryBytes,
    provisioned_cpu_cores: vms.reduce((sum, { vcpu }) => sum + vcpu, 0),
    provisioned_memory_bytes: vms.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    running_pause_vm_memory_bytes: 0,
    chunk_id: '1',
    compatible_cpu_models: [],
    cpu_brand: 'Intel',
    cpu_fan_speed: [],
    cpu_model: 'Xeon',
    cpu_temperature_celsius: [],
    failure_data_space: 0,
    hdd_data_capacity: 0,
    hdd_disk_count: 0,
    lsm_cap_disk_safe_umount: true,
    management_ip: host.ip,
    model: 'Halo',
    nested_virtualization: false,
    nic_count: 2,
    pmem_dimm_capacity: 0,
    pmem_dimm_count: 0,
    pmem_disk_count: 0,
    ssd_data_capacity: 0,
    ssd_disk_count: 4,
    total_data_capacity: 0,
    used_data_space: 0,
  };
}

function mergedStatusOf({ status }: FakeHost): string {
  if (status === 'CONNECTED_HEALTHY') return 'HEALTHY';
  return status.startsWith('CONNECTED') ? 'UNUSUAL' : 'DISCONNECTED';
}

export const vmRecord = (
  vm: FakeVm,
  host: FakeHost | undefined,
  cluster: FakeCluster,
  labels: readonly FakeLabel[],
): object => ({
  id: vm.id,
  local_id: vm.localId,
  name: vm.name,
  status: vm.status,
  host: host === undefined ? null : { ...reference(host), management_ip: host.ip },
  cluster: { id: cluster.id, name: cluster.name },
  entityAsyncStatus: vm.busy ? 'UPDATING' : null,
  labels: labels.map(nestedLabel),
  ha: vm.ha,
  protected: vm.protected,
  in_recycle_bin: vm.isRecycled,
  internal: false,
  vcpu: vm.vcpu,
  memory: vm.memoryBytes,
  cpu: { cores: vm.vcpu, sockets: 1 },
  vm_placement_group: vm.group === undefined ? [] : [{ id: vm.group, name: vm.group }],
  clock_offset: 'UTC',
  cpu_model: 'cluster_default',
  description: '',
  firmware: 'BIOS',
  ips: '',
  nested_virtualization: false,
  node_ip: host?.ip ?? '',
  out_uninstall_usb: [],
  vm_tools_status: 'RUNNING',
  win_opt: false,
});

export const taskRecord = (task: FakeTask, progress: number): object => ({
  id: task.id,
  description: task.description,
  status: task.status,
  progress,
  args: {},
  internal: false,
  local_created_at: new Date(task.startedAt).toISOString(),
  started_at: new Date(task.startedAt).toISOString(),
  finished_at: task.finishedAt === undefined ? null : new Date(task.finishedAt).toISOString(),
  error_code: task.error === undefined ? null : 'TASK_FAILED',
  error_message: task.error ?? null,
  resource_id: task.resource,
  resource_mutation: task.mutation,
  resource_type: task.type,
  snapshot: '{}',
  steps: [
    { key: 'all', current: progress, total: 1, finished: progress === 1, per_second: 0, unit: 'PERCENT' },
  ],
});

export const labelRecord = (label: FakeLabel): object => ({
  ...nestedLabel(label),
  createdAt: CREATED_AT,
  host_num: [...label.on].filter((id) => id.startsWith('host-')).length,
  vm_num: [...label.on].filter((id) => id.startsWith('vm-')).length,
  total_num: label.on.size,
});

export const groupRecord = (id: string, cluster: FakeCluster, vms: readonly FakeVm[]): object => ({
  id,
  name: id,
  local_id: `local-${id}`,
  cluster: { id: cluster.id, name: cluster.name },
  description: '',
  enabled: true,
  local_created_at: CREATED_AT,
  local_updated_at: CREATED_AT,
  vm_host_must_enabled: false,
  vm_host_must_policy: false,
  vm_host_prefer_enabled: false,
  vm_host_prefer_policy: false,
  vm_vm_policy: 'MUST_DIFFERENT',
  vm_vm_policy_enabled: true,
  vms: vms.map(reference),
});

const reference = ({ id, name }: Reference): Reference => ({ id, name });

const nestedLabel = ({ id, key, value }: FakeLabel): object => ({ id, key, value });
