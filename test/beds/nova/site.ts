/** A site on the bed: its workers reach Nova through a gateway. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { Stage, type StageParts } from '../stage.ts';
import { Bed, type Cloud } from './bed.ts';
import { Gateway } from './gateway.ts';
import { Nova } from './nova.ts';

/** What every test on the bed stands on. Start it once a file. */
export class Site extends Stage {
  readonly bed: Bed;
  readonly nova: Nova;
  readonly gateway: Gateway;

  private constructor(stage: StageParts, parts: { bed: Bed; nova: Nova; gateway: Gateway }) {
    super(stage);
    this.bed = parts.bed;
    this.nova = parts.nova;
    this.gateway = parts.gateway;
  }

  /** The worker logs in as the administrator unless told otherwise. */
  static async start(cloud?: Cloud): Promise<Site> {
    const bed = new Bed();
    const nova = new Nova(bed.cloud);
    const compute = (await nova.endpoints()).get('compute');
    assert.ok(compute, 'Nova is in the catalog');
    const gateway = await Gateway.start(compute);
    const stage = await Stage.build({
      site: { platform: 'openstack', cloud: 'bed' },
      env: async (directory) => ({
        OS_CLIENT_CONFIG_FILE: await writeClouds(directory, cloud ?? bed.cloud, gateway.url),
      }),
      inspect: (host) => whatIsWrong(nova, host),
    });
    const site = new Site(stage, { bed, nova, gateway });
    await site.startWorker();
    return site;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.gateway.close();
  }
}

async function whatIsWrong(nova: Nova, host: string): Promise<string[]> {
  const { status } = await nova.service(host);
  const running = (await nova.servers(host)).filter((server) => server.status !== 'SHUTOFF');
  const names = running.map(({ name }) => name).join(', ');
  return [
    ...(status === 'disabled' ? [] : [`${host} is worked on while it takes servers`]),
    ...(running.length === 0 ? [] : [`${host} is worked on with ${names} on it`]),
  ];
}

async function writeClouds(directory: string, cloud: Cloud, compute: string): Promise<string> {
  const file = path.join(directory, 'clouds.yaml');
  await writeFile(file, stringify({ clouds: { bed: { ...cloud, compute_endpoint_override: compute } } }));
  return file;
}
