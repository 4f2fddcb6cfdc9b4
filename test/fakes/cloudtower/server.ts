/**
 * A CloudTower to test against, as far as hosts and their maintenance go: strict about paths, bodies and the token, with a
 * hand on its troubles, and a log of what was asked.
 *
 * Sources: the models and paths of the vendor's SDK (cloudtower-sdk 2.23.0 on PyPI), and its documents on maintenance mode.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';
import { CALLS, type Shape } from './calls.ts';
import { Refusal, type FakeHost, type FakeVm } from './state.ts';
import { Tower, type HostSpec } from './tower.ts';

const BASE = '/v2/api/';

/** An answer in the place of the right one; `isDone`: the call is carried out all the same. */
export interface CallFault {
  /** Name of the call: the end of its path. */
  call: string;
  isDone?: boolean;
  /** Absent: the connection is cut. Of status 200: an error that looks like none. */
  error?: { status: number; message: string; code?: 'ResourceLocked' };
  /** @default 1 */
  times?: number;
}

/** A call that waits: `arrived` when it has come. */
interface Held {
  arrived: Promise<void>;
  /** It goes on. */
  release: () => void;
  /** It goes no further: its connection is cut. */
  cut: () => void;
}

interface Hold {
  call: string;
  when: 'before' | 'after';
  arrive: () => void;
  verdict: Promise<'goes on' | 'is cut'>;
}

interface Answer {
  status: number;
  body: unknown;
}

interface Options {
  hosts: readonly HostSpec[];
  shape?: Shape;
  /** The directory that users of source LDAP are in; absent: an older release, which is told the source alone. */
  directory?: string;
}

const credentials = z.strictObject({
  username: z.string(),
  password: z.string(),
  source: z.enum(['LOCAL', 'LDAP', 'AUTHN', 'SSO']),
  auth_config_id: z.string().optional(),
});

export class FakeCloudTower {
  static readonly username = 'haulout';
  static readonly password = 'maintenance!';
  readonly tower: Tower;
  readonly shape: Shape;
  /** Calls in the order they came, by the end of their path; with the status of the answer, 0 where there was none. */
  readonly calls: { call: string; status: number }[] = [];
  /** What was asked in a way that the API does not have. */
  readonly complaints: string[] = [];
  /** How every call is answered from now on. */
  trouble: 'hang' | 'busy' | 'error' | 'garbage' | undefined;
  readonly #directory: string | undefined;
  readonly #server: Server;
  readonly #tokens = new Set<string>();
  readonly #faults: CallFault[] = [];
  readonly #holds: Hold[] = [];

  private constructor({ hosts, shape = 'sdk', directory }: Options) {
    this.tower = new Tower(hosts);
    this.shape = shape;
    this.#directory = directory;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.complaints.push(String(error));
        response.destroy();
      });
    });
  }

  static async start(options: Options): Promise<FakeCloudTower> {
    const fake = new FakeCloudTower(options);
    await listenOnLoopback(fake.#server);
    return fake;
  }

  get url(): string {
    return originOf(this.#server);
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  host(name: string): FakeHost {
    this.tower.advance();
    const found = [...this.tower.hosts.values()].find((one) => one.name === name);
    if (!found) throw new Error(`the fake has no host ${name}`);
    return found;
  }

  vm(name: string): FakeVm {
    this.tower.advance();
    const found = [...this.tower.vms.values()].find((one) => one.name === name);
    if (!found) throw new Error(`the fake has no VM ${name}`);
    return found;
  }

  /** Somebody else puts our label on a host, with words of their own. */
  label(host: string, value: string): void {
    this.tower.createLabel('haulout', value).label.on.add(this.host(host).id);
  }

  fail(fault: CallFault): void {
    this.#faults.push(fault);
  }

  /** Tokens that were given out are not taken any more. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** A token that somebody made by hand. */
  issueToken(): string {
    const token = randomUUID();
    this.#tokens.add(token);
    return token;
  }

  /** The next such call waits before or after it is carried out. */
  hold(call: string, when: Hold['when']): Held {
    let arrive = (): void => undefined;
    let decide = (_: 'goes on' | 'is cut'): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const verdict = new Promise<'goes on' | 'is cut'>((resolve) => (decide = resolve));
    this.#holds.push({ call, when, arrive, verdict });
    return {
      arrived,
      release: () => {
        decide('goes on');
      },
      cut: () => {
        decide('is cut');
      },
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const path = request.url ?? '';
    const name = path.startsWith(BASE) ? path.slice(BASE.length) : path;
    const entry = { call: name, status: 0 };
    this.calls.push(entry);
    if (this.trouble) {
      makeTrouble(this.trouble, response);
      return;
    }
    const isCutBefore = await this.#isCut(name, 'before');
    const fault = isCutBefore ? undefined : this.#takeFault(name);
    const isDone = !isCutBefore && (!fault || fault.isDone === true);
    const answer = isDone ? this.#answer(request, name, path, body) : undefined;
    const isCut = isCutBefore || (await this.#isCut(name, 'after'));
    const told = isCut ? undefined : fault ? faultyAnswer(fault, path) : answer;
    if (!told) {
      response.destroy();
      return;
    }
    entry.status = told.status;
    response.writeHead(told.status, { 'content-type': 'application/json' }).end(JSON.stringify(told.body));
  }

  /** Waits where somebody holds such a call. */
  async #isCut(call: string, when: Hold['when']): Promise<boolean> {
    const at = this.#holds.findIndex((hold) => hold.call === call && hold.when === when);
    const [hold] = at === -1 ? [] : this.#holds.splice(at, 1);
    hold?.arrive();
    return (await hold?.verdict) === 'is cut';
  }

  #takeFault(name: string): CallFault | undefined {
    const at = this.#faults.findIndex(({ call }) => call === name);
    const fault = this.#faults[at];
    if (!fault) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.#faults.splice(at, 1);
    return fault;
  }

  #answer({ method, headers }: IncomingMessage, name: string, path: string, body: string): Answer {
    this.tower.advance();
    try {
      if (method !== 'POST') throw new Refusal(404, `${method} ${path}`);
      const json: unknown = JSON.parse(body);
      if (path === '/api') return { status: 200, body: this.#directories() };
      if (name === 'login')
        return { status: 200, body: { task_id: null, data: { token: this.#logIn(json) } } };
      if (!this.#tokens.has(headers.authorization ?? ''))
        throw new Refusal(401, 'token is invalid or expired');
      const call = CALLS[name];
      if (!call) throw new Refusal(404, `POST ${path}`);
      const answered = call(this.tower, json, this.shape);
      this.tower.advance();
      return { status: 200, body: answered };
    } catch (error) {
      return this.#refuse(error, path);
    }
  }

  #refuse(error: unknown, path: string): Answer {
    if (error instanceof Refusal) return errorAnswer(error, path);
    this.complaints.push(`${path}: ${String(error)}`);
    return errorAnswer({ status: 400, message: String(error) }, path);
  }

  /** GraphQL: which directories there are. */
  #directories(): object {
    if (this.#directory === undefined) throw new Refusal(400, 'Cannot query field "authnStrategies"');
    return { data: { authnStrategies: [{ id: this.#directory, type: 'LDAP' }] } };
  }

  #logIn(body: unknown): string {
    const { username, password, source, auth_config_id } = credentials.parse(body);
    const isKnown = username === FakeCloudTower.username && password === FakeCloudTower.password;
    const isDirectory = auth_config_id === this.#directory;
    const isRight = this.#directory === undefined ? source !== 'AUTHN' : source === 'LOCAL' || isDirectory;
    if (!isKnown || !isRight) throw new Refusal(400, 'LOGIN_FAILED');
    return this.issueToken();
  }
}

const faultyAnswer = ({ error }: CallFault, path: string): Answer | undefined =>
  error && errorAnswer(error, path);

const errorAnswer = (
  { status, message, code }: { status: number; message: string; code?: string | undefined },
  path: string,
): Answer => ({ status, body: { status, message, path, ...(code === undefined ? {} : { code }) } });

function makeTrouble(trouble: NonNullable<FakeCloudTower['trouble']>, response: ServerResponse): void {
  switch (trouble) {
    case 'hang':
      return;
    case 'busy':
      response.writeHead(429, { 'retry-after': '30' }).end();
      return;
    case 'error':
      response.writeHead(500).end('upstream failed');
      return;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>It works!</html>');
  }
}
