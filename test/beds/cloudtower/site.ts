/** A CloudTower of its own, and workers that take its hosts out. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';
import type { Shape } from '../../fakes/cloudtower/calls.ts';
import type { AuditEntry } from '../../fakes/cloudtower/state.ts';
import { Stage, type StageParts } from '../stage.ts';
import { FLEET } from './fleet.ts';

export const FOUR = ['smtx-01', 'smtx-02', 'smtx-03', 'smtx-04'];

/** A session that takes the host with a VM of each sort out, and wants everything back. */
export const ONE = {
  hosts: ['smtx-01'],
  instances: { mode: 'live-then-stop' as const, return: true },
};

const PATIENCE_MS = 120_000;
const POLL_MS = 50;

/** Where a VM is, and how it stands. */
type Places = Record<string, string>;

export class Site extends Stage {
  readonly fake: FakeCloudTower;
  readonly #before: Places;

  private constructor(stage: StageParts, fake: FakeCloudTower) {
    super(stage);
    this.fake = fake;
    this.#before = placesIn(fake);
  }

  static async start(shape: Shape = 'sdk'): Promise<Site> {
    const fake = await FakeCloudTower.start({ hosts: FLEET, shape });
    Object.assign(fake.tower.timings, { precheckMs: 500, enterMs: 1_000, exitMs: 1_000, powerMs: 100 });
    const { username, password } = FakeCloudTower;
    const stage = await Stage.build({
      site: { platform: 'cloudtower', url: fake.url, username, password: { env: 'TOWER_PASSWORD' } },
      env: async () => ({ TOWER_PASSWORD: password }),
      inspect: async (host) => whatIsWrong(fake, host),
    });
    const site = new Site(stage, fake);
    await site.startWorker();
    return site;
  }

  /** What CloudTower has really done, without its times. */
  audit(event?: AuditEntry['event']): string[] {
    this.fake.tower.advance();
    return this.fake.tower.audit
      .filter((entry) => event === undefined || entry.event === event)
      .map(({ event: what, subject }) => (event === undefined ? `${what} ${subject}` : subject));
  }

  /** Resolves when the host is worked on. */
  async workedOn(host: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!this.isWorkedOn(host)) {
      if (Date.now() > deadline) throw new Error(`${host} was never worked on`);
      await sleep(POLL_MS);
    }
  }

  callsOf(call: string): number {
    return this.fake.calls.filter((one) => one.call === call && one.status === 200).length;
  }

  /**
   * What is wrong after a session, by the audit of the fake: a host that is not back, or was out beside another one, or
   * entered or left more than once; a VM that is not where and as it was; a label that is left; a request that was wrong.
   *
   * @param changed names of VMs that may be elsewhere, or stand otherwise, than before
   */
  objections({ changed = [], times = 1 }: { changed?: readonly string[]; times?: number } = {}): string[] {
    const { tower, complaints } = this.fake;
    const places = placesIn(this.fake);
    const moved = Object.keys(places).filter((name) => places[name] !== this.#before[name]);
    return [
      ...complaints,
      ...[...tower.hosts.values()].flatMap(({ name, state }) =>
        state === 'IN_USE' ? [] : [`${name} is ${state}`],
      ),
      ...moved
        .filter((name) => !changed.includes(name))
        .map((name) => `${name} was ${this.#before[name]}, and is ${places[name]}`),
      ...[...tower.labels.values()].map(({ value }) => `there is still a label ${value}`),
      ...(['host.maintenance', 'host.in-use'] as const).flatMap((event) =>
        repeated(this.audit(event), times).map((name) => `${event} ${name} more than ${times} times`),
      ),
      ...outTogether(tower.audit),
    ];
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.fake.close();
  }
}

function placesIn(fake: FakeCloudTower): Places {
  fake.tower.advance();
  const { hosts, vms } = fake.tower;
  return Object.fromEntries(
    [...vms.values()].map(({ name, host, status }) => [name, `${status} on ${hosts.get(host)?.name}`]),
  );
}

function whatIsWrong(fake: FakeCloudTower, name: string): string[] {
  const { id, state } = fake.host(name);
  const running = [...fake.tower.vms.values()].filter(
    ({ host, status }) => host === id && status !== 'STOPPED',
  );
  return [
    ...(state === 'MAINTENANCE_MODE' ? [] : [`${name} is worked on, and is ${state}`]),
    ...running.map((vm) => `${name} is worked on with ${vm.name} on it`),
  ];
}

const repeated = (names: readonly string[], times: number): string[] => [
  ...new Set(names.filter((name) => names.filter((one) => one === name).length > times)),
];

/** Hosts of the one cluster that were out at one time. */
function outTogether(audit: readonly AuditEntry[]): string[] {
  const out = new Set<string>();
  const found: string[] = [];
  for (const { event, subject } of audit) {
    if (event === 'host.entering') out.add(subject);
    if (event === 'host.in-use') out.delete(subject);
    if (out.size > 1) found.push(`out at one time: ${[...out].join(', ')}`);
  }
  return found;
}
