/** A client of one cluster: objects by kind, checked by the schema of the kind. */
import type { RequestOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { type KubeConfig, Watch } from '@kubernetes/client-node';
import { z } from 'zod';
import { MaintenanceError } from '../core/errors.ts';
import { SingleFlight } from '../core/single-flight.ts';
import { SettingsError } from '../drivers/platform.ts';
import { type Call, rest, Transport, type TransportOptions, wordsOf } from '../drivers/transport.ts';
import { codeFor, failureOfWatch, interpret, isConflict, isForbidden } from './failure.ts';
import { pathOf, type KubernetesObject, type ObjectName, type Resource } from './resource.ts';

/** Objects in one page of a list. */
const PAGE = 500;
/** After so long the server ends a watch. */
const WATCH_SECONDS = 300;
/** The server says every minute how far a watch is: one that is silent for so long may be cut off, and a new one is begun. */
const LONGEST_SILENCE_MS = 90_000;
/** Before it is looked again where a watch ended at once, or failed. */
const PAUSE_MS = 1_000;
const CONFLICT_TRIES = 5;

export interface CallContext {
  /** Aborts the request. */
  signal: AbortSignal;
}

/** Which objects of a kind. */
export interface Selection {
  /** `haulout/session,role in (a,b)` */
  labelSelector?: string;
  /** `spec.nodeName=node-1`: only what the API server has an index for. */
  fieldSelector?: string;
  namespace?: string;
}

export interface Listed<T> {
  items: T[];
  /** To watch from. */
  resourceVersion: string;
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T; resourceVersion: string }
  /** Nothing has changed up to here. */
  | { type: 'BOOKMARK'; resourceVersion: string };

const anything = z.unknown();

const page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});

const named = z.object({ metadata: z.object({ name: z.string() }) });

const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

type TlsOptions = NonNullable<TransportOptions['tls']>;

export class KubernetesClient {
  readonly #config: KubeConfig;
  readonly #timeoutMs: number;
  #connection: { tls: TlsOptions; transport: Transport } | undefined;
  /** A program that hands them out is asked once for all who wait. */
  readonly #credentials = new SingleFlight<RequestOptions>();

  /** Connects to nothing yet. */
  constructor(config: KubeConfig, { timeoutMs }: { timeoutMs: number }) {
    const proxy = config.getCurrentCluster()?.proxyUrl;
    if (proxy !== undefined && !/^https?:/.test(proxy)) {
      throw new SettingsError([`kubeconfig: proxy-url: ${proxy} is no address of an HTTP proxy`]);
    }
    this.#config = config;
    this.#timeoutMs = timeoutMs;
  }

  /** All of a kind, page by page. */
  async list<T extends KubernetesObject>(
    resource: Resource<T>,
    { namespace, ...selectors }: Selection,
    context: CallContext,
  ): Promise<Listed<T>> {
    const items: T[] = [];
    for (let next: string | undefined; ;) {
      const { metadata, items: found } = await this.#call({
        method: 'GET',
        path: pathOf(resource, namespace === undefined ? {} : { namespace }),
        query: { ...selectors, limit: PAGE, continue: next },
        schema: page,
        ...context,
      });
      items.push(...found.map((item) => parse(resource, item)));
      next = metadata.continue === '' ? undefined : metadata.continue;
      if (next === undefined) return { items, resourceVersion: metadata.resourceVersion };
    }
  }

  /** Throws NotFound. */
  read<T extends KubernetesObject>(resource: Resource<T>, of: ObjectName, context: CallContext): Promise<T> {
    return this.#call({ method: 'GET', path: pathOf(resource, of), schema: resource.schema, ...context });
  }

  /** `object` without apiVersion and kind. Throws what `isTaken` tells when there is one of this name. */
  create<T extends KubernetesObject>(
    resource: Resource<T>,
    object: { metadata: ObjectName & Record<string, unknown> } & Record<string, unknown>,
    context: CallContext,
  ): Promise<T> {
    const { apiVersion, kind } = resource;
    const { namespace } = object.metadata;
    return this.#call({
      method: 'POST',
      path: pathOf(resource, namespace === undefined ? {} : { namespace }),
      body: { apiVersion, kind, ...object },
      schema: resource.schema,
      ...context,
    });
  }

  /**
   * Changes an object by a JSON merge patch: `null` removes a field. With `metadata.resourceVersion` in it throws what
   * `isConflict` tells when the object has changed since.
   *
   * @param subresource `status`, where the kind keeps that apart
   */
  patch<T extends KubernetesObject>(
    resource: Resource<T>,
    of: ObjectName,
    patch: Readonly<Record<string, unknown>>,
    context: CallContext,
    subresource?: 'status',
  ): Promise<T> {
    return this.#call({
      method: 'PATCH',
      path: `${pathOf(resource, of)}${subresource === undefined ? '' : `/${subresource}`}`,
      body: patch,
      headers: { 'content-type': 'application/merge-patch+json' },
      schema: resource.schema,
      ...context,
    });
  }

  /**
   * Reads an object and changes it by the patch that `decide` makes of it, and again when somebody else has changed it
   * meanwhile. Undefined from `decide`: nothing to change. Resolves to the object as it is then.
   */
  async change<T extends KubernetesObject>(
    resource: Resource<T>,
    of: ObjectName,
    decide: (fresh: T) => Readonly<Record<string, unknown>> | undefined,
    context: CallContext,
    subresource?: 'status',
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const fresh = await this.read(resource, of, context);
      const patch = decide(fresh);
      if (!patch) return fresh;
      const { resourceVersion } = fresh.metadata;
      const metadata = { ...(patch['metadata'] as object | undefined), resourceVersion };
      try {
        return await this.patch(resource, of, { ...patch, metadata }, context, subresource);
      } catch (error) {
        if (!isConflict(error) || tries === CONFLICT_TRIES) throw error;
      }
    }
  }

  /** Deletes exactly the object that was read, and in the state that was read. Throws NotFound, and what `isConflict` tells. */
  async remove<T extends KubernetesObject>(
    resource: Resource<T>,
    { metadata: { name, namespace, uid, resourceVersion } }: T,
    context: CallContext,
  ): Promise<void> {
    await this.#call({
      method: 'DELETE',
      path: pathOf(resource, { name, ...(namespace === undefined ? {} : { namespace }) }),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
      schema: anything,
      ...context,
    });
  }

  /** Makes an object below another one, such as the eviction of a pod. */
  async createBelow<T extends KubernetesObject>(
    resource: Resource<T>,
    of: ObjectName,
    subresource: string,
    object: Readonly<Record<string, unknown>>,
    context: CallContext,
  ): Promise<void> {
    await this.#call({
      method: 'POST',
      path: `${pathOf(resource, of)}/${subresource}`,
      body: object,
      schema: anything,
      ...context,
    });
  }

  /**
   * Changes since a resourceVersion, until the server or the signal ends it. Throws what `isExpired` tells when the server
   * does not remember back to it: list again.
   */
  async *watch<T extends KubernetesObject>(
    resource: Resource<T>,
    { resourceVersion, namespace, ...selectors }: Selection & { resourceVersion: string },
    { signal }: CallContext,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const events = new Inbox<{ type: string; object: unknown }>();
    const query = {
      ...selectors,
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_SECONDS,
    };
    const end = (): void => events.end();
    const silence = setTimeout(end, LONGEST_SILENCE_MS);
    const request = new Watch(this.#config).watch(
      pathOf(resource, namespace === undefined ? {} : { namespace }),
      query,
      (type: string, object: unknown) => {
        silence.refresh();
        events.put({ type, object });
      },
      (error: unknown) => events.end(error === null ? undefined : watchFailure(error)),
    );
    // Without credentials it does not even begin.
    request.catch((error: unknown) => events.end(credentialsFailure(error)));
    signal.addEventListener('abort', end);
    try {
      for await (const { type, object } of events.taken(signal)) {
        if (type === 'ERROR') throw failureOfWatch(object);
        yield eventOf(resource, type, object);
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', end);
      request.then(
        (controller) => controller.abort(),
        () => undefined,
      );
    }
  }

  /**
   * Waits until one of the objects changes after they were listed, and no longer than so many milliseconds. A server that
   * cannot tell ends the wait sooner: look again. Who may list and not watch waits the whole time.
   */
  async untilChanged<T extends KubernetesObject>(
    resource: Resource<T>,
    listed: Selection & { resourceVersion: string },
    longestMs: number,
    { signal }: CallContext,
  ): Promise<void> {
    const patience = AbortSignal.timeout(longestMs);
    const context = { signal: AbortSignal.any([signal, patience]) };
    try {
      for await (const { type } of this.watch(resource, listed, context)) if (type !== 'BOOKMARK') return;
    } catch (error) {
      if (isDenied(error)) await rest(longestMs, context.signal).catch(() => undefined);
      // Whether it can be reached at all, whoever looks again is told.
      else if (!(error instanceof MaintenanceError)) throw error;
    }
    // What stands between may end every watch at once.
    await rest(PAUSE_MS, context.signal).catch(() => undefined);
    signal.throwIfAborted();
  }

  async close(): Promise<void> {
    await this.#connection?.transport.close();
    this.#connection = undefined;
  }

  /** With the credentials of this moment: tokens run out, and files change. */
  async #call<T>(call: Call<T>): Promise<T> {
    const options = await this.#askCredentials(call.signal);
    const transport = this.#transport(options);
    const headers = authorizationOf(options);
    const send = async <A>(one: Call<A>): Promise<A> =>
      (await transport.call({ ...one, headers: { ...headers, ...one.headers } })).body;
    try {
      return await send(call);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      // An API server that has just started refuses everybody until it knows the roles; this is open to all.
      await send({ method: 'GET', path: '/version', schema: anything, signal: call.signal }).catch(refuseAll);
      return await send(call);
    }
  }

  async #askCredentials(signal: AbortSignal): Promise<RequestOptions> {
    const patience = AbortSignal.timeout(this.#timeoutMs);
    try {
      const caller = AbortSignal.any([signal, patience]);
      return await this.#credentials.join(caller, () => credentialsOf(this.#config));
    } catch (error) {
      if (error !== patience.reason) throw error;
    }
    const exec = this.#config.getCurrentUser()?.exec as { command?: string } | undefined;
    throw new MaintenanceError(
      'PlatformUnreachable',
      `${exec?.command ?? 'the program'} of the kubeconfig gives no credentials within ${this.#timeoutMs} ms`,
    );
  }

  #transport(options: RequestOptions): Transport {
    const tls = tlsOf(options);
    if (this.#connection && isDeepStrictEqual(this.#connection.tls, tls)) return this.#connection.transport;
    expectUsable(tls);
    // Calls that are under way on the one before have a minute to end; nothing else holds it.
    const before = this.#connection?.transport;
    if (before) setTimeout(() => void before.close(), 2 * this.#timeoutMs).unref();
    const cluster = this.#config.getCurrentCluster();
    const transport = new Transport({
      url: cluster?.server ?? '',
      timeoutMs: this.#timeoutMs,
      tls,
      interpret,
      ...(cluster?.proxyUrl === undefined ? {} : { proxy: cluster.proxyUrl }),
    });
    this.#connection = { tls, transport };
    return transport;
  }
}

async function credentialsOf(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw credentialsFailure(error);
  }
  return options;
}

/** What a program prints may be a secret, and errors over what it printed quote that. */
function credentialsFailure(error: unknown): MaintenanceError {
  const isGarbled = error instanceof SyntaxError || error instanceof TypeError;
  const what = isGarbled ? 'its program prints no ExecCredential' : wordsOf(error).trim();
  return new MaintenanceError('NotAuthorized', `the kubeconfig gives no credentials: ${what}`);
}

function expectUsable({ ca, client }: TlsOptions): void {
  try {
    createSecureContext({ ...(ca === undefined ? {} : { ca }), ...client });
  } catch (error) {
    const message = `certificates or key of the kubeconfig cannot be used: ${wordsOf(error)}`;
    throw new MaintenanceError('NotAuthorized', message);
  }
}

function refuseAll(error: unknown): never {
  if (!isForbidden(error)) throw error;
  throw new MaintenanceError('PlatformBusy', 'the API server refuses everybody: it has just started');
}

function tlsOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): TlsOptions {
  const pem = (value: unknown): string | undefined =>
    typeof value === 'string' || Buffer.isBuffer(value) ? value.toString() : undefined;
  const [authority, certificate, secret] = [pem(ca), pem(cert), pem(key)];
  return {
    verify: rejectUnauthorized ?? true,
    caField: 'certificate-authority of the kubeconfig',
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined || secret === undefined
      ? {}
      : { client: { cert: certificate, key: secret } }),
    ...(servername === undefined ? {} : { serverName: servername }),
  };
}

function authorizationOf({ auth, headers }: RequestOptions): Record<string, string> {
  if (typeof auth === 'string') return { authorization: `Basic ${Buffer.from(auth).toString('base64')}` };
  const { Authorization: given } = (headers ?? {}) as Record<string, unknown>;
  return typeof given === 'string' ? { authorization: given } : {};
}

function parse<T extends KubernetesObject>({ kind, schema }: Resource<T>, object: unknown): T {
  const parsed = schema.safeParse(object);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = named.safeParse(object).data?.metadata.name ?? 'without a name';
  throw new MaintenanceError(
    'PlatformGarbled',
    `${kind} ${name} is not as expected: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

function eventOf<T extends KubernetesObject>(
  resource: Resource<T>,
  type: string,
  object: unknown,
): WatchEvent<T> {
  if (type === 'BOOKMARK') {
    const { resourceVersion } = bookmark.parse(object).metadata;
    return { type, resourceVersion };
  }
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') {
    throw new MaintenanceError('PlatformGarbled', `the API server sends an event of type ${type}`);
  }
  const parsed = parse(resource, object);
  return { type, object: parsed, resourceVersion: parsed.metadata.resourceVersion };
}

const isDenied = (error: unknown): boolean =>
  error instanceof MaintenanceError && error.code === 'NotAuthorized';

function watchFailure(error: unknown): MaintenanceError {
  const http = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : undefined;
  return http === undefined
    ? new MaintenanceError('PlatformUnreachable', `a watch ended: ${wordsOf(error)}`)
    : new MaintenanceError(codeFor(http), `a watch was answered ${http} ${wordsOf(error)}`);
}

/** What one side puts in, the other takes out in its own time. */
class Inbox<T> {
  readonly #items: T[] = [];
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  put(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake();
  }

  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *taken(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    while (!signal.aborted) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#error) throw this.#error;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
