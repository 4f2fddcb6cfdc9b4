import { CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { Member } from '../../src/core/host-run.ts';
import { shorten } from '../activity-calls.ts';

/**
 * What acting on an instance has done to it: nothing; something that is over, so that it recovers from now on; or
 * something that lasts, since it is stopped.
 */
export type Impact = 'none' | 'over' | 'lasting';

interface Place {
  groups: readonly string[];
  /** It may be acted on again while it recovers. */
  reasons: number;
}

/**
 * How many members of each limited group this host may have moving, stopped or recovering, and which ones are. The sum
 * over all hosts in flight is what the group bears, so hosts need not know of each other.
 */
export class GroupShares {
  private readonly shares: ReadonlyMap<string, number>;
  /** By instance id. */
  private readonly places = new Map<string, Place>();
  /** When members that recover will be whole, in epoch milliseconds. */
  private readonly recoveries = new Set<{ until: number }>();
  private acting = 0;

  constructor(shares: Record<string, number>) {
    this.shares = new Map(Object.entries(shares));
  }

  get areRecovering(): boolean {
    return this.recoveries.size > 0;
  }

  /** Waits until all that were acted on are whole. Whatever is cancelled meanwhile, they still count. */
  async recovered(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => !this.areRecovering));
  }

  /**
   * Acts on one of the queue after the other, each as soon as it may be; ends when none is left, or when no room will be
   * made for those that are before the deadline. Several may work off one queue at a time.
   *
   * @param deadline in epoch milliseconds
   * @param atLeast so many members of a group may always be acted on
   */
  async workOff<T extends Member>(
    queue: T[],
    act: (member: T) => Promise<Impact>,
    { deadline, atLeast = 0 }: { deadline: number; atLeast?: number },
  ): Promise<void> {
    const first = (): number => queue.findIndex((one) => this.allows(one, atLeast));
    for (;;) {
      await condition(() => queue.length === 0 || first() >= 0 || !this.willMakeRoom(deadline));
      const found = first();
      const member = found < 0 ? undefined : queue.splice(found, 1)[0];
      if (!member) return;
      await this.hold(member, () => act(member));
    }
  }

  /** The member counts from now on. */
  take({ id, groups = [] }: Member): void {
    const place = this.places.get(id);
    if (place) place.reasons += 1;
    else this.places.set(id, { groups, reasons: 1 });
  }

  /** The member does not count any more. */
  release({ id }: Member): void {
    const place = this.places.get(id);
    if (!place) return;
    place.reasons -= 1;
    if (place.reasons === 0) this.places.delete(id);
  }

  /** The member counts until it has recovered. */
  recover(member: Member): void {
    const { name, recoverySeconds = 0 } = member;
    if (recoverySeconds === 0) {
      this.release(member);
      return;
    }
    const milliseconds = recoverySeconds * 1000;
    const recovery = { until: Date.now() + milliseconds };
    this.recoveries.add(recovery);
    void CancellationScope.nonCancellable(() =>
      sleep(milliseconds, { summary: shorten(`${name} recovers`) }),
    ).then(() => {
      this.recoveries.delete(recovery);
      this.release(member);
    });
  }

  /** It leaves its place afterwards, at once or when it has recovered, unless it is stopped. */
  private async hold(member: Member, act: () => Promise<Impact>): Promise<void> {
    this.take(member);
    this.acting += 1;
    let impact: Impact = 'over';
    try {
      impact = await act();
    } finally {
      this.acting -= 1;
      if (impact === 'over') this.recover(member);
      if (impact === 'none') this.release(member);
    }
  }

  private allows({ id, groups = [] }: Member, atLeast: number): boolean {
    return groups.every(
      (group) => this.countOthers(group, id) < Math.max(atLeast, this.shares.get(group) ?? 0),
    );
  }

  private countOthers(group: string, id: string): number {
    let count = 0;
    for (const [other, { groups }] of this.places) if (other !== id && groups.includes(group)) count += 1;
    return count;
  }

  private willMakeRoom(deadline: number): boolean {
    return this.acting > 0 || [...this.recoveries].some(({ until }) => until < deadline);
  }
}
