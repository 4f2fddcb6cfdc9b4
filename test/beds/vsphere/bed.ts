/** The vCenter that `run.ts` has brought up: how to reach it, and the side of it that only tests know. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { bedDirectory } from '../directory.ts';

const START_WITHIN_MS = 300_000;
const LOOK_EVERY_MS = 100;

const address = z.object({
  /** Of the vCenter, such as `https://127.0.0.1:18989`. */
  url: z.string(),
  username: z.string(),
  password: z.string(),
  /** The certificate that signs itself, in PEM. */
  caFile: z.string(),
  /** The program. */
  govc: z.string(),
});
export type Address = z.output<typeof address>;

/** Which calls a fault is for, how many, and what happens to each. */
export type Fault = {
  /** As in the URL, such as `RelocateVM_Task`, or `GET info` for a property; any if not given. */
  method?: string;
  /** Id of an object, such as `vm-52`; any if not given. */
  object?: string;
  /** How many calls; 1 if not given. */
  times?: number;
} & (
  | {
      /** The call is refused, or the task that it starts fails when it would succeed. */
      action: 'fault' | 'taskFault';
      /** A type of the API, such as `InvalidState`. */
      fault: string;
      message?: string;
    }
  | { action: 'status'; status: number; retryAfterSeconds?: number }
  /** `html` answers 200 with a page. `cutAfter` carries the call out, and loses the answer. */
  | { action: 'html' | 'cutBefore' | 'cutAfter' }
  | { action: 'hold'; milliseconds: number }
);

/** How long operations take. Those that run keep theirs. */
export interface Timings {
  relocateMs: number;
  /** At least: it waits for the virtual machines, too. */
  enterMs: number;
  exitMs: number;
  powerMs: number;
  /** From asking a guest to shut down until it is off. */
  shutdownMs: number;
}

const record = z.object({
  operation: z.enum(['relocate', 'enter', 'exit', 'powerOn', 'powerOff', 'shutdown', 'setField']),
  /** Id. */
  object: z.string(),
  name: z.string(),
  /** Names of hosts; values for setField. */
  from: z.string().optional(),
  to: z.string().optional(),
  /** A user, or `drs`. */
  by: z.string(),
  /** Id; not for shutdown and setField. */
  task: z.string().optional(),
  began: z.coerce.date(),
  /** Not there while it runs. */
  ended: z.coerce.date().optional(),
  /** `success`, or the type of the fault. */
  result: z.string().optional(),
});
/** One operation that has begun, by the record of the vCenter. */
export type Operation = z.output<typeof record>;

/** State of a host as its vCenter sees it. */
export interface HostState {
  connectionState?: 'connected' | 'disconnected' | 'notResponding';
  powerState?: 'poweredOn' | 'poweredOff' | 'standBy' | 'unknown';
}

export interface Size {
  hosts?: number;
  vmsPerHost?: number;
  /** Of the second cluster, which has no virtual machines. */
  otherHosts?: number;
  drs?: boolean;
}

export class Bed {
  readonly address: Address;
  readonly #dispatcher: Agent;

  /** The bed in a directory: that of BED, or the usual one. Throws when it is not up. */
  constructor(directory = bedDirectory('vsphere')) {
    this.address = address.parse(JSON.parse(readFileSync(path.join(directory, 'bed.json'), 'utf8')));
    this.#dispatcher = new Agent({ connect: { ca: readFileSync(this.address.caFile) } });
  }

  async fail(fault: Fault): Promise<void> {
    await this.#call('POST', '/faults', fault);
  }

  /** Every client of VI/JSON has to log in again; govc does not. */
  async expireSessions(): Promise<void> {
    await this.#call('DELETE', '/sessions');
  }

  /** Since the beginning, or since `reset`; oldest first. */
  async log(): Promise<Operation[]> {
    return z.array(record).parse(await this.#call('GET', '/log'));
  }

  /** Calls over VI/JSON since `reset`, by method; a property is `GET NAME`. */
  async counters(): Promise<Record<string, number>> {
    return z.record(z.string(), z.number()).parse(await this.#call('GET', '/counters'));
  }

  async turn(timings: Partial<Timings>): Promise<void> {
    await this.#call('PATCH', '/timings', timings);
  }

  /** `host` is an id. */
  async setHost(host: string, state: HostState): Promise<void> {
    await this.#call('PATCH', `/hosts/${host}`, state);
  }

  /** No faults, an empty log, no counts, and the timings of the beginning. The inventory stays as it is. */
  async reset(): Promise<void> {
    await this.#call('DELETE', '');
  }

  async close(): Promise<void> {
    await this.#dispatcher.close();
  }

  async #call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', at: string, body?: object): Promise<unknown> {
    const response = await request(`${this.address.url}/beds${at}`, {
      method,
      dispatcher: this.#dispatcher,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${at}: ${response.statusCode} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

/** Starts another vCenter for one test, with the programs of the bed that is up. */
export async function startBed(size: Size): Promise<{ bed: Bed; stop: () => Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-vsphere-'));
  const program = path.join(bedDirectory('vsphere'), 'bin/vcsimx');
  const child = spawn(program, ['-state', directory, ...flagsOf(size)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await exited;
    await rm(directory, { recursive: true });
  };
  const deadline = Date.now() + START_WITHIN_MS;
  while (!existsSync(path.join(directory, 'bed.json'))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error('vcsimx does not come up');
    }
    await sleep(LOOK_EVERY_MS);
  }
  const bed = new Bed(directory);
  return {
    bed,
    stop: async () => {
      await bed.close();
      await stop();
    },
  };
}

function flagsOf({ hosts, vmsPerHost, otherHosts, drs }: Size): string[] {
  return Object.entries({ hosts, 'vms-per-host': vmsPerHost, 'other-hosts': otherHosts, drs }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`-${name}=${value}`]),
  );
}
