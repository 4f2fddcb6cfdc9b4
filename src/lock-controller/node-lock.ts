/**
 * What to do about the lock of one node, given the requests that name the node and the session that empties its host.
 * Pure, and level-triggered: whatever was missed, the same decision follows from what is there now.
 */
import type { Hold } from '../core/host-run.ts';
import { oneLine } from '../core/listed.ts';
import type { HostInFlight, Progress } from '../core/progress.ts';
import type { LockState } from '../kubernetes/lcm.ts';
import { isDeferred, whyDeferred, type Request } from './requests.ts';
import { ACTIVE, type LockStatus } from './status.ts';

/** A session that could not begin is begun again after this long: somebody may have put right what was wrong. */
export const START_AGAIN_MS = 60_000;

/** What cannot be heard of is looked at again after this long. */
const LOOK_AGAIN_MS = 5_000;

/** One that has just been started has something to say at once. */
const JUST_STARTED_MS = 100;

/** An `errorMessage` is read in one line of a table. */
const MESSAGE_CHARS = 1_000;

/** What there is for one node. */
export interface NodeView {
  node: string;
  /** The host of the node at the mapped site; undefined where the node does not name one. */
  host?: string;
  /** Whether the node is there, and one of those that the controller is for. */
  served: boolean;
  /** Its state is undefined until it was written for the first time; `standsFor`: a node that is not this one. */
  lock?: { state?: LockState; standsFor?: string };
  /** Requests that name the node and are not being deleted, in an order that is the same for all. */
  requests: readonly Request[];
  /** An open session for this node that no lock remembers: its lock was deleted, or forgot it as it was started. */
  stray?: string;
  /** The session that the lock remembers, which has or had the host out. */
  session?: { id: string; stands: SessionStanding };
}

/** How a session stands, by Temporal. */
export type SessionStanding =
  /** It was never started, or ended longer ago than Temporal remembers. */
  | { kind: 'absent' }
  /** It cannot be found out at present, and why. */
  | { kind: 'unknown'; why: string }
  | { kind: 'open'; progress: Progress }
  | ClosedSession;

export interface ClosedSession {
  kind: 'closed';
  /** In words, with the reason. */
  how: string;
  /** It was refused before it touched anything, and may be started again. */
  refused: boolean;
  /** Epoch milliseconds. */
  at: number;
  /**
   * Where it left its host: in service again, still on the way there, or out. A session that is terminated cannot see to
   * it any more.
   */
  host: 'back' | 'returning' | 'out';
}

/** What is to be done; each can be done twice, also by two controllers, to the same effect. */
export type NodeAct =
  /** Make the lock. */
  | { do: 'create' }
  /** Delete the lock: nobody has to wait for this controller any more. */
  | { do: 'remove' }
  /** Write the node into the lock: somebody has written another one. */
  | { do: 'readdress' }
  /** Write the session into the lock, before it is started. */
  | { do: 'remember'; session: string }
  /** Take the session out of the lock: it is over. */
  | { do: 'forget' }
  | { do: 'start'; session: string; host: string; request: Request }
  /** Have the session put the host back into service: its work is done. */
  | { do: 'approve'; session: string; host: string }
  /** Have the session put the host back into service from wherever it stands. */
  | { do: 'cancel'; session: string }
  /** The same for a session that the lock still does not remember when it is read anew. */
  | { do: 'dismiss'; session: string };

export interface NodeDecision {
  /** What the lock has to say; absent: as it is. It is written before anything is done. */
  status?: LockStatus;
  act?: NodeAct;
  /** Look again after so many milliseconds, whether anything has changed or not. */
  againMs?: number;
}

/** @param ids what the controller calls itself and its sessions */
export function decideNode(view: NodeView, ids: ControllerIds, now: number): NodeDecision {
  const { lock, served, session, stray } = view;
  if (!lock && served) return { act: { do: 'create' } };
  if (lock?.standsFor !== undefined) return { act: { do: 'readdress' } };
  const decision = !lock ? {} : session ? decideBusy(view, session, ids, now) : decideIdle(view, ids);
  if (stray === undefined || decision.act) return decision;
  return { ...decision, act: { do: 'dismiss', session: stray } };
}

export interface ControllerIds {
  /** The release that the controller belongs to; absent: it obeys requests of any. */
  release?: string;
  /** The session for a request; the same for every replica, and after every restart. */
  sessionOf: (node: string, request: Request) => string;
}

/** Nothing has been begun for this node. */
function decideIdle(view: NodeView, { release, sessionOf }: ControllerIds): NodeDecision {
  const { node, host, requests, served, stray } = view;
  if (stray !== undefined) return { act: { do: 'remember', session: stray } };
  if (!served) return { act: { do: 'remove' } };
  const request = requests.find((one) => !isDeferred(one, release));
  if (!request) {
    const [deferred] = requests;
    return { status: deferred ? active(whyDeferred(deferred, release)) : ACTIVE };
  }
  if (host === undefined) return { status: active(`node ${node} does not say which host it is`) };
  return { act: { do: 'remember', session: sessionOf(node, request) } };
}

/** A session has, or had, the host out. */
function decideBusy(
  view: NodeView,
  { id: session, stands: found }: NonNullable<NodeView['session']>,
  ids: ControllerIds,
  now: number,
): NodeDecision {
  const { node, host, requests } = view;
  const its = requests.find((one) => ids.sessionOf(node, one) === session);
  // A request that was obeyed is not deferred any more, whatever release this has become: its node may be worked on.
  const wanted = its !== undefined || requests.some((one) => !isDeferred(one, ids.release));
  const startable = its && !isDeferred(its, ids.release) ? its : undefined;
  switch (found.kind) {
    case 'unknown':
      return { status: unchanged(view, `session ${session}: ${found.why}`), againMs: LOOK_AGAIN_MS };
    case 'absent':
      if (startable && host !== undefined) {
        return start(starting(session), session, host, startable);
      }
      return { status: ACTIVE, act: { do: 'forget' } };
    case 'open':
      return wanted
        ? { status: wantedStatus(view, session, found.progress) }
        : decideUnwanted(view, session, found.progress);
    case 'closed':
      return decideClosed(view, session, found, found.refused ? startable : its, now);
  }
}

/** Somebody wants the node, and the session is under way. */
function wantedStatus(view: NodeView, session: string, progress: Progress): LockStatus {
  const stage = stageOf(progress);
  const troubles = troublesOf(session, progress);
  switch (stage.at) {
    case 'waiting':
      return active(troubles, { percentage: 0, description: 'the session has not begun with the host' });
    case 'leaving':
      return active(troubles, inactivation(stage.host));
    case 'ready':
      return {
        state: 'inactive',
        inactivationProgress: {
          percentage: 100,
          description: `${stage.host.host} is empty and in maintenance`,
        },
      };
    case 'held':
      // It was proven to be empty and is still in maintenance: who works on it need not be told to stop.
      return stage.hold.step === 'work' ? unchanged(view, troubles) : active(troubles);
    case 'returning':
      return active(`session ${session} is putting the host back into service`);
  }
}

/** Nobody wants the node any more: the host goes back. */
function decideUnwanted(view: NodeView, session: string, progress: Progress): NodeDecision {
  const stage = stageOf(progress);
  const cancel: NodeAct = { do: 'cancel', session };
  switch (stage.at) {
    case 'waiting':
    case 'leaving':
      return { status: stillOut(view, 'active', session, progress), act: cancel };
    case 'held':
      return { status: stillOut(view, 'inactive', session, progress), act: cancel };
    case 'returning':
      return { status: stillOut(view, 'inactive', session, progress) };
    case 'ready': {
      const approve: NodeAct = { do: 'approve', session, host: stage.host.host };
      return { status: stillOut(view, 'inactive', session, progress), act: approve };
    }
  }
}

/**
 * A lock stays as it is until the host is back: one that never became inactive is none that somebody works by.
 *
 * @param unsaid the state of a lock that has none, having been deleted and made again
 */
function stillOut({ lock }: NodeView, unsaid: LockState, session: string, progress: Progress): LockStatus {
  const state = lock?.state ?? unsaid;
  if (progress.state === 'MAINTENANCE_FAILED') return { state, ...saying(troublesOf(session, progress)) };
  return state === 'inactive'
    ? { state }
    : active(`session ${session} is putting the host back into service`);
}

function decideClosed(
  view: NodeView,
  session: string,
  { how, refused, at, host: left }: ClosedSession,
  its: Request | undefined,
  now: number,
): NodeDecision {
  const ended = `session ${session} ${how}`;
  if (left === 'returning') {
    const message = `${ended}; its host is still being put back into service`;
    const status = view.requests.length > 0 ? active(message) : unchanged(view, message);
    return { status, againMs: LOOK_AGAIN_MS };
  }
  if (left === 'out') return { status: failed(`${ended}; its host may still be out of service`) };
  if (!its) return { status: ACTIVE, act: { do: 'forget' } };
  const status = failed(`${ended}; make the request ${its.metadata.name} anew to try again`);
  if (!refused || view.host === undefined) return { status };
  const wait = at + START_AGAIN_MS - now;
  if (wait > 0) return { status, againMs: wait };
  return start(status, session, view.host, its);
}

const start = (status: LockStatus, session: string, host: string, request: Request): NodeDecision => ({
  status,
  act: { do: 'start', session, host, request },
  againMs: JUST_STARTED_MS,
});

/** Where the one host of a session stands. */
type Stage =
  | { at: 'waiting' }
  | { at: 'leaving'; host: HostInFlight }
  | { at: 'ready'; host: HostInFlight }
  | { at: 'returning' }
  | { at: 'held'; hold: Hold };

const LEAVING: readonly HostInFlight['step'][] = ['precheck', 'cordon', 'drain', 'enter'];

function stageOf({ inFlight: [host], held: [hold], hosts }: Progress): Stage {
  if (hold) return { at: 'held', hold };
  if (!host) return { at: hosts.pending > 0 || hosts.total === 0 ? 'waiting' : 'returning' };
  if (LEAVING.includes(host.step)) return { at: 'leaving', host };
  const isReady = host.step === 'work' && host.waitsFor?.startsWith('approval') === true;
  return isReady ? { at: 'ready', host } : { at: 'returning' };
}

function inactivation({ step, moved, total }: HostInFlight): NonNullable<LockStatus['inactivationProgress']> {
  // A host that is not in maintenance yet is not through, also when everything has left it.
  const percentage = total === 0 ? 0 : Math.floor((99 * moved) / total);
  return { percentage, description: `${step}: ${moved} of ${total} instances have left` };
}

/** What keeps the session, and what to do about it; undefined while it simply runs. */
function troublesOf(session: string, { state, reason, blockedBy }: Progress): string | undefined {
  const stands = state === 'MAINTENANCE_FAILED' || state === 'MAINTENANCE_PAUSED';
  const troubles = [...blockedBy, ...(stands && reason !== '' ? [reason] : [])];
  return troubles.length === 0 ? undefined : `session ${session}: ${troubles.join('; ')}`;
}

const starting = (session: string): LockStatus =>
  active(undefined, { percentage: 0, description: `session ${session} begins` });

function active(
  message: string | undefined,
  inactivationProgress?: LockStatus['inactivationProgress'],
): LockStatus {
  return { state: 'active', ...saying(message), ...(inactivationProgress && { inactivationProgress }) };
}

const failed = (message: string): LockStatus => ({ state: 'failed', ...saying(message) });

const unchanged = ({ lock }: NodeView, message: string | undefined): LockStatus => ({
  state: lock?.state ?? 'active',
  ...saying(message),
});

const saying = (message: string | undefined): Pick<LockStatus, 'errorMessage'> =>
  message === undefined ? {} : { errorMessage: oneLine(message, MESSAGE_CHARS) };
