/** A vCenter of its own, and workers that take its hosts out. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage, type StageParts } from '../stage.ts';
import { startBed, type Bed, type Operation, type Size } from './bed.ts';
import { govc } from './govc.ts';
import { Witness } from './witness.ts';

const PATIENCE_MS = 60_000;
const POLL_MS = 50;

export class Site extends Stage {
  readonly bed: Bed;
  readonly witness: Witness;
  readonly #stopBed: () => Promise<void>;

  private constructor(stage: StageParts, parts: { bed: Bed; witness: Witness; stop: () => Promise<void> }) {
    super(stage);
    this.bed = parts.bed;
    this.witness = parts.witness;
    this.#stopBed = parts.stop;
  }

  static async start(size: Size): Promise<Site> {
    const { bed, stop } = await startBed(size);
    const witness = new Witness(bed.address);
    const { url, username, caFile } = bed.address;
    const stage = await Stage.build({
      site: { platform: 'vsphere', url, username, password: { env: 'VCENTER_PASSWORD' }, caFile },
      env: async () => ({ VCENTER_PASSWORD: bed.address.password }),
      inspect: (host) => whatIsWrong(witness, host),
    });
    const site = new Site(stage, { bed, witness, stop });
    await site.startWorker();
    return site;
  }

  /** What an operator does by hand. */
  operator(...args: string[]): Promise<string> {
    return govc(this.bed.address, args);
  }

  /** Resolves to the first operation of the vCenter's own log that is as wished. */
  async seen(wish: (operation: Operation) => boolean): Promise<Operation> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = (await this.bed.log()).find(wish);
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`it was never seen: ${String(wish)}`);
      await sleep(POLL_MS);
    }
  }

  /**
   * What is wrong after a session, by the vCenter's own log and by govc: a VM that moved more often than once and its
   * failures, a task that was started twice, a host that is not back, a VM that does not run.
   *
   * @param off names of VMs that are to be powered off
   */
  async objections({ off = [] }: { off?: readonly string[] } = {}): Promise<string[]> {
    const [log, hosts, vms] = await Promise.all([this.bed.log(), this.witness.hosts(), this.witness.vms()]);
    const done = log.filter(({ result }) => result === 'success');
    return [
      ...repeated(done, 'relocate').map((name) => `${name} was moved more than once`),
      ...repeated(done, 'enter').map((name) => `${name} entered maintenance more than once`),
      ...repeated(done, 'exit').map((name) => `${name} left maintenance more than once`),
      ...log.filter(({ ended }) => !ended).map(({ operation, name }) => `${operation} of ${name} still runs`),
      ...hosts.flatMap(({ name, inMaintenance, attributes }) => [
        ...(inMaintenance ? [`${name} is in maintenance`] : []),
        ...(attributes['haulout'] ? [`${name} is marked: ${attributes['haulout']}`] : []),
      ]),
      ...vms.flatMap(({ name, powerState, attributes }) => [
        ...((powerState === 'poweredOn') === off.includes(name) ? [`${name} is ${powerState}`] : []),
        ...(attributes['haulout'] ? [`${name} is marked: ${attributes['haulout']}`] : []),
      ]),
    ];
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.#stopBed();
  }
}

/** Names of what this was done to more than once. */
function repeated(done: readonly Operation[], operation: Operation['operation']): string[] {
  const names = done.filter((one) => one.operation === operation).map(({ name }) => name);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

async function whatIsWrong(witness: Witness, host: string): Promise<string[]> {
  const [hosts, vms] = await Promise.all([witness.hosts(), witness.vms()]);
  const inMaintenance = hosts.find(({ name }) => name === host)?.inMaintenance === true;
  const running = vms.filter((vm) => vm.host === host && vm.powerState === 'poweredOn');
  return [
    ...(inMaintenance ? [] : [`${host} is worked on, and not in maintenance`]),
    ...running.map(({ name }) => `${host} is worked on with ${name} on it`),
  ];
}
