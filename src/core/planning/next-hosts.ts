/**
 * Chooses the hosts to take out now, and where their instances go. The rules, in this order: no constraint is broken;
 * each instance moves once; the session ends soon.
 */
import type { ChosenHost, NextHosts, NextHostsRequest } from './choice.ts';
import { listNames } from './natural-order.ts';
import { helpedByReturns } from './returns.ts';
import { Round } from './round.ts';
import type { Choice } from './round.ts';
import type { HostIndex } from './snapshot.ts';

export type { ChosenHost, NextHosts, NextHostsRequest } from './choice.ts';

const NONE: ReadonlySet<string> = new Set();

/** So many hosts of a pool are tried in vain before hosts of another are; and all only where nothing is in flight. */
const TRIES_PER_POOL = 16;
/** So many hosts that cannot be emptied without second moves are compared. */
const COMPARED = 32;

/**
 * As many hosts as slots are free, or fewer where it is better to wait. Deterministic: the same request gives the same
 * choice, in whatever order the inventory lists things.
 */
export function nextHosts(request: NextHostsRequest): NextHosts {
  const round = new Round(request);
  while (round.started.length < request.freeSlots) {
    const choice =
      hostToResume(round, request.first ?? NONE) ??
      emptyHost(round) ??
      hostThatFits(round) ??
      hostWithSecondMoves(round) ??
      hostBeyondHelp(round);
    if (choice === undefined) return { start: round.started, ...whatToWaitFor(round) };
    round.take(choice);
  }
  return { start: round.started };
}

/**
 * It was taken out before and stands half-done, so it does not wait for safe targets. Nor do other hosts go before it, or
 * one more would be out than may be: where it cannot be emptied, its precheck says so.
 */
function hostToResume(round: Round, first: ReadonlySet<string>): Choice | undefined {
  if (first.size === 0) return undefined;
  const placed = firstPlaced(round, 'any', Infinity, (host) => first.has(round.nameOf(host)));
  if (placed !== undefined) return placed;
  const stuck = round
    .inOrder()
    .find((one) => first.has(round.nameOf(one)) && round.obstacle(one)?.forGood !== false);
  return stuck === undefined ? undefined : asFarAsPossible(round, stuck);
}

/** Nothing has to move off it: it is soon back, with room for others. */
function emptyHost(round: Round): Choice | undefined {
  const host = round
    .inOrder()
    .find((one) => round.moves(one).count === 0 && round.obstacle(one) === undefined);
  return host === undefined ? undefined : { host: round.nameOf(host), placement: [], blockers: [] };
}

/** All its instances go where they can stay; where they return, that is anywhere. */
function hostThatFits(round: Round): Choice | undefined {
  const onto = round.returns ? 'any' : 'safe';
  return (
    firstPlaced(round, onto, TRIES_PER_POOL) ??
    (round.isIdle() ? firstPlaced(round, onto, Infinity) : undefined)
  );
}

function firstPlaced(
  round: Round,
  onto: 'safe' | 'any',
  triesPerPool: number,
  eligible: (host: HostIndex) => boolean = () => true,
): Choice | undefined {
  for (const host of round.inOrder()) {
    const placement = eligible(host) ? round.place(host, onto, triesPerPool) : undefined;
    if (placement !== undefined) return { host: round.nameOf(host), placement, blockers: [] };
  }
  return undefined;
}

/**
 * Some of its instances, as few as possible, go to hosts that are still to be taken out. Only a host that no return of
 * one in flight can help: the others wait.
 */
function hostWithSecondMoves(round: Round): Choice | undefined {
  let best: (Choice & { cost: number }) | undefined;
  let compared = 0;
  const triesPerPool = round.isIdle() ? Infinity : TRIES_PER_POOL;
  for (const host of lightestFirst(round, beyondReturns(round))) {
    const placement = round.place(host, 'any', triesPerPool);
    if (placement === undefined) continue;
    const cost = round.secondMoves(placement);
    if (best === undefined || cost < best.cost)
      best = { host: round.nameOf(host), placement, blockers: [], cost };
    compared += 1;
    if (compared === COMPARED) break;
  }
  return best;
}

/** Only when nothing else is left: it cannot be emptied, and its precheck will say so. It is never just left out. */
function hostBeyondHelp(round: Round): Choice | undefined {
  if (!round.isIdle()) return undefined;
  const host = round.inOrder().find((one) => round.obstacle(one)?.forGood !== false);
  if (host !== undefined) return asFarAsPossible(round, host);
  const [missing] = round.missing;
  return missing === undefined ? undefined : notInInventory(missing);
}

/**
 * All hosts that are still to be started, as if nothing could help them any more: to say what is in the way.
 *
 * @param explained so many are looked into, which takes its time; the others are only listed
 */
export function hostsBeyondHelp(request: NextHostsRequest, explained: number): ChosenHost[] {
  const round = new Round(request);
  const known = round
    .inOrder()
    .map((host, index) =>
      index < explained ? asFarAsPossible(round, host) : notLookedInto(round.nameOf(host)),
    );
  return [...known, ...round.missing.map(notInInventory)].map((choice) => round.describe(choice));
}

function asFarAsPossible(round: Round, host: HostIndex): Choice {
  const obstacle = round.obstacle(host);
  const { placement, blockers } = round.placeSome(host);
  const all = obstacle === undefined ? blockers : [obstacle.reason, ...blockers];
  return { host: round.nameOf(host), placement, blockers: all };
}

const notLookedInto = (host: string): Choice => ({
  host,
  placement: [],
  blockers: [`${host} cannot be emptied either`],
});

const notInInventory = (host: string): Choice => ({
  host,
  placement: [],
  blockers: [`${host} is not in the inventory of the site`],
});

function whatToWaitFor(round: Round): Pick<NextHosts, 'waitFor'> {
  const [first] = round.inOrder();
  if (first === undefined) return {};
  const obstacle = round.obstacle(first);
  if (obstacle !== undefined) return { waitFor: obstacle.reason };
  const why = `until then instances of ${round.nameOf(first)} would have to move twice`;
  return { waitFor: `${listNames(round.namesInFlight())} to come back: ${why}` };
}

function beyondReturns(round: Round): HostIndex[] {
  const waiting = round.inOrder();
  const helped = helpedByReturns(round.snapshot, round.inFlight, waiting, (host) => round.moves(host));
  return waiting.filter((host) => !helped.has(host));
}

const lightestFirst = (round: Round, hosts: HostIndex[]): HostIndex[] =>
  hosts.sort((a, b) => round.moves(a).count - round.moves(b).count);
