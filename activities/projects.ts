/** Activities that find out whose instances a session touches, and whether there is room for them elsewhere. */
import { constraintOf } from '../src/core/apply-constraints.ts';
import { isRunning, type Instance } from '../src/core/inventory.ts';
import type { InstanceAction } from '../src/core/notice.ts';
import { nextHosts } from '../src/core/planning/next-hosts.ts';
import type { Snapshot } from '../src/core/planning/snapshot.ts';
import type { HostStatus } from '../src/core/standing.ts';
import type { Driver } from '../src/drivers/driver.ts';
import type { ConstraintsReader } from './constraints-reader.ts';
import type { Owner, SiteActivities } from './contract.ts';
import type { InventoryCache } from './inventory-cache.ts';
import { perform } from './io.ts';
import { questionOf } from './planning.ts';
import type { StandingReader } from './standing-reader.ts';

/** Ids in one notice. */
const INSTANCES_NAMED = 1_000;

export interface ProjectDeps {
  driver: Driver;
  inventory: InventoryCache;
  constraints: ConstraintsReader;
  reader: StandingReader;
}

export function createProjectActivities({
  driver,
  inventory,
  constraints,
  reader,
}: ProjectDeps): Pick<SiteActivities, 'listProjects' | 'listInstancesOf' | 'findOwners' | 'findRoom'> {
  return {
    listProjects: ({ session }) =>
      perform(async (io) => {
        const found = await runningInScope(await inventory.snapshot(io, true), session);
        const projects = new Set(found.flatMap(({ project }) => (project === undefined ? [] : [project])));
        return { projects: [...projects].sort() };
      }),

    listInstancesOf: ({ session, project }) =>
      perform(async (io) => {
        const found = await runningInScope(await inventory.snapshot(io), session);
        const ids = found.filter((instance) => instance.project === project).map(({ id }) => id);
        return { instances: ids.sort().slice(0, INSTANCES_NAMED) };
      }),

    findOwners: ({ host }) =>
      perform(async (io) => {
        const { instances } = await driver.inspect(host, io);
        const known = await constraints.read();
        const owners = new Map<string, Owner>();
        for (const { id, name, project, state } of instances) {
          if (project === undefined || !isRunning({ state })) continue;
          const said = constraintOf({ id, project }, known);
          const owner = owners.get(project) ?? { project, instances: [] };
          owner.instances.push({
            id,
            name,
            ...(said === undefined ? {} : { wishes: said.migrationType, leadSeconds: said.leadSeconds }),
          });
          owners.set(project, owner);
        }
        return { owners: [...owners.values()], allowedActions: actionsOf(driver) };
      }),

    findRoom: ({ session }) =>
      perform(async (io) => {
        const snapshot = await inventory.snapshot(io, true);
        const standing = await reader.readOpen(session);
        const { start, waitFor } = nextHosts({
          ...questionOf(standing, snapshot, driver.capabilities),
          scope: standing.scope,
          freeSlots: 1,
        });
        const lacks = start.length === 0 ? waitFor : start[0]?.blockers[0];
        return lacks === undefined ? {} : { lacks };
      }),
  };

  async function runningInScope(snapshot: Snapshot, session: string): Promise<Instance[]> {
    const { scope } = await reader.readOpen(session);
    return [...scope].filter(isToCome).flatMap(([host]) => {
      const index = snapshot.indexOf(host);
      return index === undefined ? [] : snapshot.instancesOn(index).filter(isRunning);
    });
  }
}

const isToCome = ([, status]: readonly [string, HostStatus]): boolean =>
  status === 'pending' || status === 'out' || status === 'held';

/** A project can always act on its instances itself. */
function actionsOf({ capabilities: { coldMove, liveMove } }: Driver): InstanceAction[] {
  return [
    ...(coldMove ? (['MIGRATE'] as const) : []),
    ...(liveMove ? (['LIVE_MIGRATE'] as const) : []),
    'OWN_ACTION',
  ];
}
