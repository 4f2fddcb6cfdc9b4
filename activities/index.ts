import type { Client } from '@temporalio/client';
import type { ActionsConfig, Config } from '../src/config.ts';
import type { Driver } from '../src/drivers/driver.ts';
import { createActionRunner } from './actions/index.ts';
import type { SessionActivities, SiteActivities } from './contract.ts';
import { ConstraintsReader } from './constraints-reader.ts';
import { createHostActivities } from './host.ts';
import { createInstanceActivities } from './instances.ts';
import { InventoryCache } from './inventory-cache.ts';
import { perform } from './io.ts';
import { createLeftoverActivities } from './leftovers.ts';
import { createAnnouncingActivities } from './notifications.ts';
import { createPlanningActivities } from './planning.ts';
import { createProjectActivities } from './projects.ts';
import { createSessionActivities } from './session.ts';
import { StandingReader } from './standing-reader.ts';
import { createWindowActivities } from './windows.ts';

/** The activities of the queue of one site. */
export function createSiteActivities(
  site: string,
  driver: Driver,
  client: Client,
  actions: ActionsConfig,
): SiteActivities {
  const constraints = new ConstraintsReader(client, site);
  const inventory = new InventoryCache(driver, constraints);
  const reader = new StandingReader(client);
  const runAction = createActionRunner(actions);
  return {
    ...createPlanningActivities({ driver, client, inventory, reader, actions }),
    ...createHostActivities(driver, inventory),
    ...createInstanceActivities(driver, inventory),
    ...createLeftoverActivities(driver, client, reader),
    ...createWindowActivities(driver, client),
    ...createProjectActivities({ driver, inventory, constraints, reader }),
    runAction: (input) =>
      perform((io) =>
        runAction(input, {
          // What an action has begun is not left half-done by a cancellation: the host goes back only after its end.
          signal: io.unlessCancelled,
          heartbeat: (details) => io.keep(details),
          resumed: io.resumed,
        }),
      ),
  };
}

/** The activities of the queue of sessions; `sites` are those whose activities run in this worker too. */
export const createMaintenanceActivities = (
  client: Client,
  sites: readonly string[],
  notifications: Config['notifications'],
): SessionActivities => ({
  ...createSessionActivities(client, sites, notifications),
  ...createAnnouncingActivities(notifications),
});

export { createSinkActivities } from './notifications.ts';
