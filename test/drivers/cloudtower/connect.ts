/** Drivers for the fake of test/fakes/cloudtower. */
import { cloudtower } from '../../../src/drivers/cloudtower/driver.ts';
import type { CallContext, Driver } from '../../../src/drivers/driver.ts';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';

export const context: CallContext = { signal: new AbortController().signal };

/** @param site keys of the site beside the address and the credentials, or in their place */
export function connect(url: string, site: Readonly<Record<string, unknown>> = {}): Driver {
  const { username, password } = FakeCloudTower;
  const config = cloudtower.configSchema.parse({ url, username, password, ...site });
  return cloudtower.create(config, { site: 'tower' });
}
