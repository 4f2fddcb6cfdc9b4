/** The driver under test, logged in to a fake cloud. */
import type { CallContext, Driver } from '../../../src/drivers/driver.ts';
import { openstack } from '../../../src/drivers/openstack/driver.ts';
import type { FakeCloud } from './fake-cloud.ts';

export const context: CallContext = { signal: new AbortController().signal };

/** `variables`: more of an openrc file. */
export function connect(cloud: FakeCloud, variables: Readonly<Record<string, string>> = {}): Driver {
  const before = { ...process.env };
  Object.assign(process.env, {
    OS_AUTH_URL: `${cloud.url}/identity`,
    OS_USERNAME: 'haulout',
    OS_PASSWORD: 'pa$$word',
    OS_PROJECT_NAME: 'admin',
    OS_REGION_NAME: 'RegionOne',
    ...variables,
  });
  try {
    return openstack.create(openstack.configSchema.parse({ timeout: '20s' }), { site: 'test' });
  } finally {
    process.env = before;
  }
}
