/**
 * vCenter's REST API as far as nodes of one Supervisor go. It takes what its reference describes and nothing else:
 * everything that does not fit is answered with 400, and kept in `complaints` for the test to see.
 *
 * Sources: the reference of `vcenter/namespace-management/clusters/{cluster}/nodes` (enter_maintenance_mode: paths, body,
 * errors and their statuses) and of `cis/tasks`. Where that is silent it is our reading: a node that is on its way may be
 * asked again and gives another task, and leaving makes the entering that runs fail.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';

const STATUSES = {
  already_in_desired_state: 400,
  error: 500,
  invalid_element_configuration: 400,
  not_found: 404,
  unauthenticated: 401,
  unauthorized: 403,
  unsupported: 400,
} as const;
export type ErrorKind = keyof typeof STATUSES;

type NodeState = 'serving' | 'entering' | 'in maintenance' | 'exiting' | 'removed';

/** What is asked for, as it stands in the journal, without what it is about. */
type Operation = 'log in' | 'log out' | 'enter' | 'exit' | 'look at';

/** Instead of an answer: an error, a page of HTML, or the request is carried out and the connection cut. */
type Trouble = { error: ErrorKind; message: string } | { html: number } | 'cut after';

interface Task {
  host: string;
  to: NodeState;
  looks: number;
  /** Why it fails. */
  failure: string | undefined;
}

interface Request {
  method: string;
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

type Answer = { status: number } & ({ body: unknown } | { html: string });

const NODES = /^\/rest\/vcenter\/namespace-management\/clusters\/([^/]+)\/nodes$/;
const TASK = /^\/rest\/cis\/tasks\/([^/]+)$/;
const SESSION = '/rest/com/vmware/cis/session';

export class FakeSupervisor {
  /** States by id of the host. */
  readonly nodes: Map<string, NodeState>;
  /** What was asked for, such as `enter host-21`. */
  readonly journal: string[];
  /** What was asked in a way that the API does not have. */
  readonly complaints: string[] = [];
  /** Bodies of the requests to nodes, as they came. */
  readonly bodies: unknown[] = [];
  readonly sessions = new Set<string>();
  /** Looks at a task until it is over. */
  looksPerTask = 2;
  /** What the tasks that start from now on fail with. */
  failure: string | undefined;
  /** `/api` leaves the envelope off. */
  isEnveloped = true;
  readonly #server: Server;
  readonly #cluster: string;
  readonly #user: string;
  readonly #tasks = new Map<string, Task>();
  readonly #troubles: { on: Operation; trouble: Trouble }[] = [];
  #ids = 0;

  private constructor(options: FakeOptions) {
    this.nodes = new Map(options.nodes.map((host) => [host, 'serving']));
    this.#cluster = options.cluster;
    this.#user = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
    this.journal = options.journal ?? [];
    this.#server = createServer((incoming, response) => {
      void this.#serve(incoming).then((answer) => {
        if (!answer) return response.destroy();
        const [type, body] =
          'html' in answer ? ['text/html', answer.html] : ['application/json', JSON.stringify(answer.body)];
        return response.writeHead(answer.status, { 'content-type': type }).end(body);
      });
    });
  }

  static async start(options: FakeOptions): Promise<FakeSupervisor> {
    const fake = new FakeSupervisor(options);
    await listenOnLoopback(fake.#server);
    return fake;
  }

  get url(): string {
    return originOf(this.#server);
  }

  /** The next request for this comes to trouble. */
  disturb(on: Operation, trouble: Trouble): void {
    this.#troubles.push({ on, trouble });
  }

  expireSessions(): void {
    this.sessions.clear();
  }

  forgetTasks(): void {
    this.#tasks.clear();
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  /** Undefined when the connection is to be cut. */
  async #serve(incoming: IncomingMessage): Promise<Answer | undefined> {
    const [path = '', query = ''] = (incoming.url ?? '').split('?');
    const sent = await text(incoming);
    const body: unknown = sent === '' ? undefined : JSON.parse(sent);
    const request = { method: incoming.method ?? '', path, query, headers: incoming.headers, body };
    const known = this.#understand(request);
    if (typeof known === 'string') {
      this.complaints.push(`${request.method} ${incoming.url}: ${known}`);
      return { status: 400, html: known };
    }
    const { operation, about, answer } = known;
    this.journal.push(about === '' ? operation : `${operation} ${about}`);
    const index = this.#troubles.findIndex(({ on }) => on === operation);
    const trouble = index < 0 ? undefined : this.#troubles.splice(index, 1)[0]?.trouble;
    if (trouble === 'cut after') {
      answer();
      return undefined;
    }
    if (trouble && 'html' in trouble) return { status: trouble.html, html: 'a gateway' };
    if (trouble) return refuse(trouble.error, trouble.message);
    const session = request.headers['vmware-api-session-id'];
    if (operation !== 'log in' && !(typeof session === 'string' && this.sessions.has(session))) {
      return refuse('unauthenticated', 'This method requires authentication.');
    }
    return answer();
  }

  /** What a request is for, or what is wrong with its form. */
  #understand(request: Request): { operation: Operation; about: string; answer: () => Answer } | string {
    const { method, path, query, headers, body } = request;
    if (headers.accept !== 'application/json') return 'it does not accept JSON';
    if ((headers['content-type'] === 'application/json') !== (body !== undefined)) return 'content-type';
    const isLogin = path === SESSION && method === 'POST';
    if ((headers.authorization !== undefined) !== isLogin) return 'authorization is for logging in';
    if (isLogin && headers['vmware-api-session-id'] !== undefined) return 'a login has no session yet';
    const [, cluster] = NODES.exec(path) ?? [];
    if (cluster !== undefined && method === 'POST') return this.#understandNode(request, cluster);
    if (query !== '' || body !== undefined) return 'a query or a body that is not known';
    if (isLogin) {
      return { operation: 'log in', about: '', answer: () => this.#logIn(headers.authorization ?? '') };
    }
    if (path === SESSION && method === 'DELETE') {
      return { operation: 'log out', about: '', answer: () => this.#logOut(headers) };
    }
    const [, task] = TASK.exec(path) ?? [];
    if (task !== undefined && method === 'GET') {
      return { operation: 'look at', about: task, answer: () => this.#look(task) };
    }
    return 'no such operation';
  }

  #understandNode(
    { query, body }: Request,
    cluster: string,
  ): { operation: Operation; about: string; answer: () => Answer } | string {
    const [, way] = /^action=(enter|exit)_maintenance_mode$/.exec(query) ?? [];
    if (way === undefined) return 'action is enter_maintenance_mode or exit_maintenance_mode';
    const { node, action, ...more } = Object(body) as Record<string, unknown>;
    if (Object.keys(more).length > 0) return `unknown fields: ${Object.keys(more).join()}`;
    if (action !== undefined && way === 'exit') return 'exit has no action';
    if (![undefined, 'no_action', 'PermanentNodeRemoval'].includes(action as string)) return 'action';
    const { node_type: type, node_id: id, ...rest } = Object(node) as Record<string, unknown>;
    if (typeof type !== 'string' || typeof id !== 'string' || Object.keys(rest).length > 0) return 'node';
    this.bodies.push(body);
    return {
      operation: way as 'enter' | 'exit',
      about: id,
      answer: () => {
        if (cluster !== this.#cluster) {
          return refuse('not_found', `Cluster ${cluster} does not have Namespaces enabled.`);
        }
        if (type !== 'HostSystem') return refuse('unsupported', `Node type ${type} is not supported.`);
        return way === 'enter' ? this.#enter(id, action === 'PermanentNodeRemoval') : this.#exit(id);
      },
    };
  }

  #logIn(authorization: string): Answer {
    if (authorization !== this.#user) return refuse('unauthenticated', 'Unable to authenticate user');
    const session = this.#newId('session');
    this.sessions.add(session);
    return this.#value(session);
  }

  #logOut(headers: IncomingHttpHeaders): Answer {
    this.sessions.delete(String(headers['vmware-api-session-id']));
    return { status: 200, body: {} };
  }

  #enter(host: string, isRemoval: boolean): Answer {
    const state = this.nodes.get(host);
    if (state === undefined || state === 'removed') return notAMember(host);
    if (state === 'in maintenance' && !isRemoval) return already(host);
    this.nodes.set(host, 'entering');
    return this.#begin(host, isRemoval ? 'removed' : 'in maintenance');
  }

  #exit(host: string): Answer {
    const state = this.nodes.get(host);
    if (state === undefined || state === 'removed') return notAMember(host);
    if (state === 'serving') return already(host);
    for (const task of this.#tasks.values()) {
      if (task.host === host && task.to !== 'serving') task.failure ??= 'The node was asked to leave.';
    }
    this.nodes.set(host, 'exiting');
    return this.#begin(host, 'serving');
  }

  #begin(host: string, to: NodeState): Answer {
    const id = this.#newId('task');
    this.#tasks.set(id, { host, to, looks: 0, failure: this.failure });
    return this.#value(id);
  }

  #look(id: string): Answer {
    const task = this.#tasks.get(id);
    if (!task) return refuse('not_found', `Task ${id} does not exist.`);
    task.looks += 1;
    const common = { service: 'com.vmware.vcenter.namespace_management', cancelable: false };
    if (task.looks === 1) return this.#value({ ...common, status: 'PENDING' });
    const progress = { total: this.looksPerTask * 2, completed: task.looks };
    if (task.looks <= this.looksPerTask) return this.#value({ ...common, status: 'RUNNING', progress });
    if (task.failure !== undefined) {
      const error = { 'com.vmware.vapi.std.errors.error': { messages: [messageOf(task.failure)] } };
      return this.#value({ ...common, status: 'FAILED', progress, error });
    }
    this.nodes.set(task.host, task.to);
    return this.#value({ ...common, status: 'SUCCEEDED', progress });
  }

  #newId(kind: string): string {
    this.#ids += 1;
    return `${kind}-${this.#ids}`;
  }

  #value(value: unknown): Answer {
    return { status: 200, body: this.isEnveloped ? { value } : value };
  }
}

interface FakeOptions {
  /** Id of the cluster. */
  cluster: string;
  /** Ids of hosts. */
  nodes: readonly string[];
  username: string;
  password: string;
  /** Where to write what is asked for. */
  journal?: string[];
}

const messageOf = (words: string): unknown => ({ id: 'vcenter.wcp', default_message: words, args: [] });

const refuse = (error: ErrorKind, words: string): Answer => ({
  status: STATUSES[error],
  body: { type: `com.vmware.vapi.std.errors.${error}`, value: { messages: [messageOf(words)] } },
});

const already = (host: string): Answer =>
  refuse('already_in_desired_state', `Node ${host} is already in the desired state.`);

const notAMember = (host: string): Answer =>
  refuse('invalid_element_configuration', `Node ${host} is not a member of the cluster.`);
