import type { InstanceRef } from '../../src/core/host-run.ts';
import type { HostEvent } from '../../src/core/notice.ts';
import { announce, newEvent } from '../notifications.ts';
import type { HostRun } from './host-run.ts';

/** Tells the project of an instance that it has been acted on, if projects are asked at all. */
export async function announceDone(run: HostRun, { id }: InstanceRef): Promise<void> {
  const project = run.owners.get(id);
  if (project === undefined) return;
  const { spec } = run.input;
  await announce({
    type: 'maintenance.scheduled',
    ...newEvent(run.input),
    project,
    state: 'INSTANCE_ACTION_DONE',
    instances: [id],
    instance: id,
    allowedActions: [],
    metadata: spec.metadata,
  });
}

/** Says where the host stands, if anybody wants to know. */
export async function announceHost(run: HostRun, state: HostEvent['state']): Promise<void> {
  if (run.input.announces !== true) return;
  await announce({ type: 'maintenance.host', ...newEvent(run.input), host: run.input.host, state });
}
