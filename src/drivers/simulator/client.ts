/** The API of the simulator, call by call. Errors are those of the transport, told apart by the simulator's own codes. */
import type { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { Group, Instance } from '../../core/inventory.ts';
import type { CallContext } from '../driver.ts';
import { type Call, type ErrorAnswer, Transport } from '../transport.ts';
import {
  groupPage,
  hostPage,
  instancePage,
  started,
  taskPage,
  wireError,
  wireHost,
  wireInstance,
  wireTask,
  type WireHost,
  type WireTask,
} from './wire.ts';

const PAGE = 1000;

/** What the simulator's refusals are in the catalogue; others go by their HTTP status. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HostNotFound: 'UnknownHost',
  InstanceBusy: 'PlatformBusy',
  HostBusy: 'PlatformBusy',
  InstanceNotRunning: 'MoveRefused',
  InstanceInError: 'MoveRefused',
  NoValidHost: 'NoTarget',
  HostUnavailable: 'NoTarget',
  CapacityExceeded: 'NoTarget',
  AntiAffinity: 'NoTarget',
  Affinity: 'NoTarget',
  RequirementUnmet: 'NoTarget',
};

type Query = Call<unknown>['query'];

export class SimulatorClient {
  readonly #transport: Transport;

  constructor(options: { url: string; timeoutMs: number }) {
    this.#transport = new Transport({
      ...options,
      headers: () => ({ 'x-client': 'haulout' }),
      interpret: interpretError,
    });
  }

  hosts(context: CallContext): Promise<WireHost[]> {
    return this.#pages('/v1/hosts', {}, hostPage, ({ hosts }) => hosts, context);
  }

  instances(filter: { host?: string }, context: CallContext): Promise<Instance[]> {
    return this.#pages('/v1/instances', filter, instancePage, ({ instances }) => instances, context);
  }

  groups(context: CallContext): Promise<Group[]> {
    return this.#pages('/v1/groups', {}, groupPage, ({ groups }) => groups, context);
  }

  host(name: string, context: CallContext): Promise<WireHost> {
    return this.#get(`/v1/hosts/${encodeURIComponent(name)}`, wireHost, context);
  }

  instance(id: string, context: CallContext): Promise<Instance> {
    return this.#get(`/v1/instances/${encodeURIComponent(id)}`, wireInstance, context);
  }

  async cordon(host: string, reason: string, context: CallContext): Promise<void> {
    await this.#post(`/v1/hosts/${encodeURIComponent(host)}/cordon`, { reason }, wireHost, context);
  }

  async uncordon(host: string, reason: string, context: CallContext): Promise<void> {
    await this.#post(`/v1/hosts/${encodeURIComponent(host)}/uncordon`, { reason }, wireHost, context);
  }

  /** The calls below start a task and give back its id. */
  enter(host: string, reason: string, context: CallContext): Promise<string> {
    return this.#start(`/v1/hosts/${encodeURIComponent(host)}/enter`, { reason }, context);
  }

  exit(host: string, context: CallContext): Promise<string> {
    return this.#start(`/v1/hosts/${encodeURIComponent(host)}/exit`, undefined, context);
  }

  migrate(
    instance: string,
    request: { mode: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<string> {
    return this.#start(`/v1/instances/${encodeURIComponent(instance)}/migrate`, request, context);
  }

  stop(instance: string, mark: string, context: CallContext): Promise<string> {
    return this.#start(`/v1/instances/${encodeURIComponent(instance)}/stop`, { mark }, context);
  }

  start(instance: string, context: CallContext): Promise<string> {
    return this.#start(`/v1/instances/${encodeURIComponent(instance)}/start`, undefined, context);
  }

  task(id: string, context: CallContext): Promise<WireTask> {
    return this.#get(`/v1/tasks/${encodeURIComponent(id)}`, wireTask, context);
  }

  runningTasks(kind: WireTask['kind'], subject: string, context: CallContext): Promise<WireTask[]> {
    return this.#pages(
      '/v1/tasks',
      { kind, subject, state: 'running' },
      taskPage,
      ({ tasks }) => tasks,
      context,
    );
  }

  async abortTask(id: string, context: CallContext): Promise<void> {
    const path = `/v1/tasks/${encodeURIComponent(id)}`;
    await this.#transport.call({ method: 'DELETE', path, schema: started, signal: context.signal });
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #pages<P extends { next?: string }, T>(
    path: string,
    query: Query,
    schema: z.ZodType<P>,
    itemsOf: (page: P) => T[],
    { signal }: CallContext,
  ): Promise<T[]> {
    const items: T[] = [];
    for (let marker: string | undefined, isLast = false; !isLast; isLast = marker === undefined) {
      const { body } = await this.#transport.call({
        method: 'GET',
        path,
        query: { ...query, limit: PAGE, marker },
        schema,
        signal,
      });
      items.push(...itemsOf(body));
      marker = body.next;
    }
    return items;
  }

  async #get<T>(path: string, schema: z.ZodType<T>, { signal }: CallContext): Promise<T> {
    return (await this.#transport.call({ method: 'GET', path, schema, signal })).body;
  }

  async #post<T>(path: string, body: unknown, schema: z.ZodType<T>, { signal }: CallContext): Promise<T> {
    return (await this.#transport.call({ method: 'POST', path, body, schema, signal })).body;
  }

  async #start(path: string, body: unknown, context: CallContext): Promise<string> {
    return (await this.#post(path, body, started, context)).taskId;
  }
}

function interpretError({ json }: ErrorAnswer): MaintenanceError | undefined {
  const parsed = wireError.safeParse(json);
  const code = parsed.success ? CODES[parsed.data.error.code] : undefined;
  if (!parsed.success || code === undefined) return undefined;
  const { error } = parsed.data;
  return new MaintenanceError(code, error.message, { vendor: `${error.code}: ${error.message}` });
}
