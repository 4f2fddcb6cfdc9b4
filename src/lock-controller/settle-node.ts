/** Brings the lock and the session of one node to where they should be: looks, decides, and does it. */
import type { KubernetesClient } from '../kubernetes/client.ts';
import {
  isSameNode,
  NODE_REQUESTS,
  type NodeMaintenanceRequest,
  type NodeWorkloadLock,
} from '../kubernetes/lcm.ts';
import type { Logger } from '../log.ts';
import type { Followers } from './followers.ts';
import { sessionIn, type Locks } from './locks.ts';
import { decideNode, type NodeAct, type NodeDecision, type NodeView } from './node-lock.ts';
import type { ServedNode } from './nodes.ts';
import { standing, type Request } from './requests.ts';
import { wordsOf, type LockSessions } from './sessions.ts';

/** What is known of the objects without asking; it may be behind. */
export interface Known {
  node(name: string): ServedNode | undefined;
  lock(node: string): NodeWorkloadLock | undefined;
  requests(): Iterable<NodeMaintenanceRequest>;
  /** Sessions that were open when they were last seen, by node: one that its lock does not remember is a stray. */
  open: Map<string, string>;
}

export interface NodeSettlerParts {
  client: KubernetesClient;
  locks: Locks;
  sessions: LockSessions;
  followers: Followers;
  known: Known;
  release: string | undefined;
  log: Logger;
  signal: AbortSignal;
}

interface Decided {
  /** What was decided about; what is written is written over exactly this. */
  lock: NodeWorkloadLock | undefined;
  decision: NodeDecision;
}

/** Acts that follow from something not being there. */
const FROM_ABSENCE: readonly NodeAct['do'][] = ['approve', 'cancel', 'dismiss', 'forget'];

export class NodeSettler {
  readonly #parts: NodeSettlerParts;

  constructor(parts: NodeSettlerParts) {
    this.#parts = parts;
  }

  /** Resolves to the milliseconds after which to look again, if it should be done even without news. */
  async settle(node: string): Promise<number | undefined> {
    const { known } = this.#parts;
    let decided = await this.#decide(node, known.lock(node), known.requests());
    const { act } = decided.decision;
    if (act && FROM_ABSENCE.includes(act.do)) decided = await this.#decideAnew(node);
    await this.#carryOut(node, decided);
    return decided.decision.againMs;
  }

  /**
   * Decides from what the API server has now. News of different kinds comes in any order: a lock may be known to remember a
   * session before the request is known that the session is for.
   */
  async #decideAnew(node: string): Promise<Decided> {
    const { client, locks, signal } = this.#parts;
    // In this order: a lock remembers no session before there is its request.
    const lock = await locks.findForNode(node);
    const { items } = await client.list(NODE_REQUESTS, {}, { signal });
    return this.#decide(node, lock, items);
  }

  async #decide(
    name: string,
    lock: NodeWorkloadLock | undefined,
    requests: Iterable<NodeMaintenanceRequest>,
  ): Promise<Decided> {
    const { known, sessions, followers, release } = this.#parts;
    const node = known.node(name);
    const remembered = lock && sessionIn(lock);
    const stray = await this.#findStray(name, remembered);
    const session =
      remembered === undefined ? undefined : { id: remembered, stands: await sessions.look(remembered) };
    if (session?.stands.kind === 'open') known.open.set(name, session.id);
    followers.set(name, session?.stands.kind === 'open' ? session.id : undefined);
    const view: NodeView = {
      node: name,
      served: node !== undefined,
      requests: standing(requests).filter(({ spec }) => isSameNode(spec.nodeName, name)),
      ...(node?.host !== undefined && { host: node.host }),
      ...(lock && { lock: viewOf(lock, name) }),
      ...(stray !== undefined && { stray }),
      ...(session && { session }),
    };
    const ids = {
      ...(release !== undefined && { release }),
      sessionOf: (of: string, request: Request) => sessions.idOf(of, request),
    };
    return { lock, decision: decideNode(view, ids, Date.now()) };
  }

  /** One that was open when it was last looked for may have ended since, as it should. */
  async #findStray(node: string, remembered: string | undefined): Promise<string | undefined> {
    const { known, sessions } = this.#parts;
    const session = known.open.get(node);
    if (session === undefined || session === remembered) return undefined;
    const { kind } = await sessions.look(session);
    if (kind === 'open') return session;
    if (kind !== 'unknown') known.open.delete(node);
    return undefined;
  }

  async #carryOut(node: string, { lock: found, decision: { act, status } }: Decided): Promise<void> {
    const { locks, log } = this.#parts;
    let lock = found;
    if (act) {
      log.info({ node, act: act.do, ...('session' in act && { session: act.session }) }, 'acts');
      lock = await this.#perform(node, lock, act);
    }
    if (lock && status) await locks.sayOfNode(lock, status);
  }

  /** Resolves to the lock as it is then, to be written over; undefined: its next version is yet to come. */
  async #perform(
    node: string,
    lock: NodeWorkloadLock | undefined,
    act: NodeAct,
  ): Promise<NodeWorkloadLock | undefined> {
    const { locks } = this.#parts;
    switch (act.do) {
      case 'create':
        await locks.createForNode(node);
        return undefined;
      case 'remove':
        if (lock) await locks.remove(lock);
        return undefined;
      case 'readdress':
        if (lock) await locks.readdress(lock, node);
        return undefined;
      case 'remember':
        return lock && locks.remember(lock, act.session);
      case 'forget':
        return lock && locks.remember(lock, undefined);
      case 'start':
      case 'approve':
      case 'cancel':
      case 'dismiss':
        await this.#tell(node, lock, act);
        return lock;
    }
  }

  /** What Temporal has to say against it, the lock says too. */
  async #tell(node: string, lock: NodeWorkloadLock | undefined, act: SessionAct): Promise<void> {
    const { locks, sessions } = this.#parts;
    try {
      switch (act.do) {
        case 'start':
          return await sessions.start(act.session, node, act.host, act.request);
        case 'approve':
          return await sessions.approve(act.session, act.host);
        case 'cancel':
        case 'dismiss':
          return await sessions.cancel(act.session);
      }
    } catch (error) {
      const errorMessage = `session ${act.session}: ${wordsOf(error)}`;
      if (lock) await locks.sayOfNode(lock, { state: lock.status?.state ?? 'active', errorMessage });
      throw error;
    }
  }
}

const viewOf = ({ spec, status }: NodeWorkloadLock, node: string): NonNullable<NodeView['lock']> => ({
  ...(status && { state: status.state }),
  ...(!isSameNode(spec.nodeName, node) && { standsFor: spec.nodeName }),
});

type SessionAct = Extract<NodeAct, { do: 'start' | 'approve' | 'cancel' | 'dismiss' }>;
