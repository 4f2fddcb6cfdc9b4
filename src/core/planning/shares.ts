/**
 * Limits on instances over the whole session, split among the hosts in flight. A host never has more moving or stopped
 * than its shares, so the limits hold without the hosts knowing of each other.
 */
import type { Budget } from '../session-spec.ts';
import type { Departures } from './departures.ts';
import { compareText, listNames, sortedByName } from './natural-order.ts';
import type { Snapshot } from './snapshot.ts';

export interface Shares {
  /** Instances the host may have moving at one time. */
  moveSlots: number;
  /** By id of each group with `maxImpacted`: members the host may have moving or stopped at one time. */
  groupShares: Record<string, number>;
}

/** The shares a host would get, and what it lacks to be taken out with them. */
export interface ShareOffer {
  shares: Shares;
  lack?: ShareLack;
}

export interface ShareLack {
  /** What it waits for, or what forbids it, by name. */
  reason: string;
  /** No other host can give it back: the host needs more than there is. */
  forGood: boolean;
}

type MoveBudget = Pick<Budget, 'maxConcurrentMoves' | 'maxConcurrentMovesPerHost'>;

/** Who holds which shares, and what is left for the next host. */
export class ShareLedger {
  readonly #snapshot: Snapshot;
  readonly #budget: MoveBudget;
  readonly #moves = new Holdings();
  readonly #members = new Map<string, Holdings>();

  constructor(snapshot: Snapshot, budget: MoveBudget) {
    this.#snapshot = snapshot;
    this.#budget = budget;
  }

  hold(host: string, { moveSlots, groupShares }: Shares): void {
    this.#moves.set(host, moveSlots);
    for (const [group, share] of Object.entries(groupShares)) this.#membersOf(group).set(host, share);
  }

  /** What a host with these departures holds until it is back, once all that move have moved. */
  holdStopped(host: string, departures: Departures): void {
    const groupShares: Record<string, number> = {};
    for (const [group, { stops, down }] of this.#impact(departures)) groupShares[group] = stops + down;
    this.hold(host, { moveSlots: 0, groupShares });
  }

  /**
   * At least one move slot, and of each limited group as many members as are stopped together, plus one where others
   * move. Never more than is left; where that is too little, the offer says what is lacking.
   */
  offer(host: string, departures: Departures): ShareOffer {
    const { maxConcurrentMoves = Infinity, maxConcurrentMovesPerHost } = this.#budget;
    const touched = departures.moves.length + departures.stops.length;
    const slotsLeft = maxConcurrentMoves - this.#moves.sumWithout(host);
    const moveSlots = atLeastNone(Math.min(maxConcurrentMovesPerHost, Math.max(1, touched), slotsLeft));
    const groupShares: Record<string, number> = {};
    const lacks: ShareLack[] = [];
    if (moveSlots === 0) lacks.push(this.#noMoveSlot(maxConcurrentMoves));
    for (const [group, { moves, stops, down }] of this.#impact(departures)) {
      const most = this.#snapshot.group(group)?.maxImpacted ?? Infinity;
      const left = most - this.#membersOf(group).sumWithout(host);
      const least = down + stops + Math.min(1, moves);
      groupShares[group] = Math.max(down, Math.min(down + stops + Math.min(moves, moveSlots), left));
      if (least > down && left < least) lacks.push(this.#noMembersLeft(group, most, least));
    }
    const lack = lacks.find(({ forGood }) => forGood) ?? lacks[0];
    return { shares: { moveSlots, groupShares }, ...(lack && { lack }) };
  }

  /** How many members of each limited group are touched, in order of group ids. */
  #impact(departures: Departures): [string, Record<keyof Departures, number>][] {
    const impact = new Map<string, Record<keyof Departures, number>>();
    for (const kind of ['moves', 'stops', 'down'] as const) {
      for (const id of departures[kind].flatMap(({ groups }) => groups)) {
        if (this.#snapshot.group(id)?.maxImpacted === undefined) continue;
        const counts = impact.get(id) ?? { moves: 0, stops: 0, down: 0 };
        counts[kind] += 1;
        impact.set(id, counts);
      }
    }
    return [...impact].sort(([a], [b]) => compareText(a, b));
  }

  #membersOf(group: string): Holdings {
    const held = this.#members.get(group) ?? new Holdings();
    this.#members.set(group, held);
    return held;
  }

  #noMoveSlot(most: number): ShareLack {
    return {
      reason: `${listNames(this.#moves.holders())} to be empty: maxConcurrentMoves is ${most}`,
      forGood: false,
    };
  }

  #noMembersLeft(group: string, most: number, least: number): ShareLack {
    const name = this.#snapshot.group(group)?.name ?? group;
    const rule = `group ${name} lets at most ${most} of its members move or be stopped at one time`;
    if (least > most) return { reason: `${rule}, and ${least} have to`, forGood: true };
    return {
      reason: `${listNames(this.#membersOf(group).holders())} to be through: ${rule}`,
      forGood: false,
    };
  }
}

/** Amounts of one thing, by the host that holds them. */
class Holdings {
  readonly #amounts = new Map<string, number>();
  #sum = 0;

  set(host: string, amount: number): void {
    this.#sum += amount - (this.#amounts.get(host) ?? 0);
    if (amount > 0) this.#amounts.set(host, amount);
    else this.#amounts.delete(host);
  }

  sumWithout(host: string): number {
    return this.#sum - (this.#amounts.get(host) ?? 0);
  }

  holders(): string[] {
    return sortedByName([...this.#amounts.keys()], (host) => host);
  }
}

const atLeastNone = (amount: number): number => Math.max(0, amount);
