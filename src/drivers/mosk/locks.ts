/** What workload locks say, all together: whether what is waited for has come, and who keeps it from coming. */
import { MaintenanceError, type ErrorCode } from '../../core/errors.ts';
import { listed, oneLine } from '../../core/listed.ts';
import type { ClusterWorkloadLock, NodeWorkloadLock } from '../../kubernetes/lcm.ts';

export type Lock = ClusterWorkloadLock | NodeWorkloadLock;

const NAMES_SHOWN = 3;
/** A controller may write as much as it likes, and what it writes goes through heartbeats. */
const WORDS_SHOWN = 500;

/** Those that are not in this state. A lock without a status is active. */
export const notYet = <L extends Lock>(locks: readonly L[], state: 'active' | 'inactive'): L[] =>
  locks.filter(({ status }) => (status?.state ?? 'active') !== state);

/** Whom is waited for: `node-1 to be released by ceph (40 %, moving OSDs), neutron`. */
export function describeWait(
  subject: string,
  state: 'active' | 'inactive',
  waiting: readonly Lock[],
): string {
  const whom = waiting.map((lock) => `${lock.spec.controllerName}${said(lock)}`);
  const what = state === 'inactive' ? 'released' : 'taken back';
  return `${subject} to be ${what} by ${listed(whom, NAMES_SHOWN)}`;
}

/** What a lock failed with, in the words of its controller; undefined when none has. */
export function failureOf(locks: readonly Lock[], code: ErrorCode): MaintenanceError | undefined {
  const failed = locks.find(({ status }) => status?.state === 'failed');
  if (!failed) return undefined;
  const { metadata, spec, status } = failed;
  const vendor = oneLine(status?.errorMessage ?? 'no reason given', WORDS_SHOWN);
  return new MaintenanceError(
    code,
    `controller ${spec.controllerName} cannot release its lock ${metadata.name}: ${vendor}`,
    { vendor, retryable: false },
  );
}

function said({ status }: Lock): string {
  const { percentage, description } = status?.inactivationProgress ?? {};
  const progress = [percentage === undefined ? undefined : `${percentage} %`, description];
  const words = [status?.state === 'failed' ? 'failed' : undefined, status?.errorMessage, ...progress];
  const known = words.filter((word) => word !== undefined && word !== '');
  return known.length === 0 ? '' : ` (${oneLine(known.join(', '), WORDS_SHOWN)})`;
}
