/** How many hosts may be out at once: over the session, in each failure domain, and as the platform bears it. */
import type { GroupsAtOnce, HostLimit, HostsPerGroup } from '../host-limits.ts';
import type { Budget } from '../session-spec.ts';
import { listNames } from './natural-order.ts';
import type { HostIndex, Snapshot } from './snapshot.ts';

/** A budget in numbers of hosts. */
export interface ResolvedBudget extends Omit<Budget, 'maxConcurrentHosts'> {
  maxConcurrentHosts: number;
}

/** Percentages are of the hosts of the session, rounded down, at least 1. */
export function resolveBudget(budget: Budget, hostCount: number): ResolvedBudget {
  const { maxConcurrentHosts: wanted } = budget;
  const hosts =
    typeof wanted === 'number' ? wanted : Math.floor((hostCount * Number.parseInt(wanted, 10)) / 100);
  return { ...budget, maxConcurrentHosts: Math.max(1, hosts) };
}

/** What one rule says of hosts that are to go out beside those that are. */
interface Rule {
  take(host: HostIndex): void;
  /** Who has to come back first, and why; undefined when it may go out. */
  whyNot(host: HostIndex): string | undefined;
}

/** What the budget's failure domains and the platform's own limits leave of hosts that may go out. */
export class HostSlots {
  readonly #rules: readonly Rule[];

  /** @param outElsewhere names of hosts that other sessions have out: they count for the limits, and not for the budget */
  constructor(
    snapshot: Snapshot,
    { perDomain, beyondPlatformLimits }: DomainBudget,
    limits: readonly HostLimit[] = [],
    outElsewhere: ReadonlySet<string> = new Set(),
  ) {
    const ofBudget = perDomain === undefined ? [] : [new HostsOfGroup(snapshot, asLimit(perDomain))];
    const ofPlatform = beyondPlatformLimits === true ? [] : limits.map((limit) => ruleOf(snapshot, limit));
    for (const host of [...outElsewhere].flatMap((name) => snapshot.indexOf(name) ?? [])) {
      for (const rule of ofPlatform) rule.take(host);
    }
    this.#rules = [...ofBudget, ...ofPlatform];
  }

  take(host: HostIndex): void {
    for (const rule of this.#rules) rule.take(host);
  }

  /** `compute-3 to come back: at most 1 of the hosts of zone az1 may be out`; undefined when it may go out. */
  whyNot(host: HostIndex): string | undefined {
    for (const rule of this.#rules) {
      const why = rule.whyNot(host);
      if (why !== undefined) return why;
    }
    return undefined;
  }
}

export type DomainBudget = Pick<Budget, 'perDomain' | 'beyondPlatformLimits'>;

/** The limits of so many hosts a group that hold under a budget, its own among them. */
export function groupLimitsOf(
  { perDomain, beyondPlatformLimits }: DomainBudget,
  limits: readonly HostLimit[] = [],
): HostsPerGroup[] {
  const ofPlatform = beyondPlatformLimits === true ? [] : limits.filter((limit) => 'maxHosts' in limit);
  return perDomain === undefined ? ofPlatform : [asLimit(perDomain), ...ofPlatform];
}

const asLimit = ({ label, max }: NonNullable<Budget['perDomain']>): HostsPerGroup => ({
  label,
  maxHosts: max,
});

const ruleOf = (snapshot: Snapshot, limit: HostLimit): Rule =>
  'maxHosts' in limit ? new HostsOfGroup(snapshot, limit) : new GroupsWithHosts(snapshot, limit);

class HostsOfGroup implements Rule {
  readonly #limit: HostsPerGroup;
  readonly #groups: readonly string[];
  readonly #out = new Map<string, string[]>();
  readonly #snapshot: Snapshot;

  constructor(snapshot: Snapshot, limit: HostsPerGroup) {
    this.#snapshot = snapshot;
    this.#limit = limit;
    this.#groups = snapshot.domains(limit.label);
  }

  take(host: HostIndex): void {
    this.#outWith(host).push(this.#snapshot.host(host).name);
  }

  whyNot(host: HostIndex): string | undefined {
    const { label, value, maxHosts, why } = this.#limit;
    const group = this.#groups[host] ?? '';
    const out = this.#outWith(host);
    if ((value !== undefined && value !== group) || out.length < maxHosts) return undefined;
    const named = group === '' ? `hosts without the label ${label}` : `hosts of ${label} ${group}`;
    return `${listNames(out)} to come back: at most ${maxHosts} of the ${named} may be out${because(why)}`;
  }

  #outWith(host: HostIndex): string[] {
    const group = this.#groups[host] ?? '';
    const out = this.#out.get(group) ?? [];
    this.#out.set(group, out);
    return out;
  }
}

class GroupsWithHosts implements Rule {
  readonly #limit: GroupsAtOnce;
  readonly #groups: readonly string[];
  readonly #out = new Set<string>();

  constructor(snapshot: Snapshot, limit: GroupsAtOnce) {
    this.#limit = limit;
    this.#groups = snapshot.domains(limit.label);
  }

  take(host: HostIndex): void {
    this.#out.add(this.#groups[host] ?? '');
  }

  whyNot(host: HostIndex): string | undefined {
    const { label, maxGroups, why } = this.#limit;
    if (this.#out.has(this.#groups[host] ?? '') || this.#out.size < maxGroups) return undefined;
    const named = [...this.#out].map((group) => (group === '' ? `none` : group));
    return `hosts of ${label} ${listNames(named)} to come back: at most ${maxGroups} ${label} may have hosts out at one time${because(why)}`;
  }
}

const because = (why: string | undefined): string => (why === undefined ? '' : `: ${why}`);
