/** What many operators run: the hosts one after another, each emptied by the command line, with no target named. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

const listedServers = z.array(z.object({ ID: z.string(), Status: z.string() }));

/** A live migration that Nova gives up is asked for again so often. */
const TRIES = 3;

/**
 * @param clouds clouds.yaml with the cloud `bed`
 * @param work what is done to each host while it is out
 */
export async function plainScript(
  hosts: readonly string[],
  clouds: string,
  work: () => Promise<void>,
): Promise<void> {
  const openstack = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, OS_CLOUD: 'bed', OS_CLIENT_CONFIG_FILE: clouds };
    const { stdout } = await promisify(execFile)('openstack', ['--os-compute-api-version', '2.92', ...args], {
      env,
    });
    return stdout;
  };
  const runningOn = async (host: string): Promise<string[]> => {
    const list = await openstack('server', 'list', '--all-projects', '--host', host, '-f', 'json');
    const servers = listedServers.parse(JSON.parse(list));
    return servers.filter(({ Status }) => Status === 'ACTIVE').map(({ ID }) => ID);
  };
  for (const host of hosts) {
    await openstack(
      'compute',
      'service',
      'set',
      '--disable',
      '--disable-reason',
      'script',
      host,
      'nova-compute',
    );
    for (let tries = 0, left = await runningOn(host); left.length > 0; left = await runningOn(host)) {
      if (tries === TRIES) throw new Error(`${host} cannot be emptied: ${left.join(', ')}`);
      tries += 1;
      // The command fails with the migration; what is left is seen by the list.
      for (const id of left) {
        await openstack('server', 'migrate', '--live-migration', '--wait', id).catch(() => undefined);
      }
    }
    await work();
    await openstack('compute', 'service', 'set', '--enable', host, 'nova-compute');
  }
}
