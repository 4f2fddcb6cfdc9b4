/** How many hosts may be out at once: over the session, and in each failure domain. */
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

/** How many more hosts may go out in each failure domain. */
export class DomainSlots {
  readonly #domains: readonly string[] | undefined;
  readonly #label: string;
  readonly #max: number;
  readonly #out = new Map<string, string[]>();
  readonly #snapshot: Snapshot;

  /** Without `perDomain` there is no limit. Hosts without the label are one domain together. */
  constructor(snapshot: Snapshot, perDomain: Budget['perDomain']) {
    this.#snapshot = snapshot;
    this.#label = perDomain?.label ?? '';
    this.#max = perDomain?.max ?? Infinity;
    this.#domains = perDomain && snapshot.domains(perDomain.label);
  }

  take(host: HostIndex): void {
    const domain = this.#domains?.[host];
    if (domain === undefined) return;
    const { name } = this.#snapshot.host(host);
    const out = this.#out.get(domain);
    if (out === undefined) this.#out.set(domain, [name]);
    else out.push(name);
  }

  isFree(host: HostIndex): boolean {
    return this.#outWith(host).length < this.#max;
  }

  /** `compute-3 to come back: at most 1 of the hosts of zone az1 may be out`. */
  whyNot(host: HostIndex): string {
    const domain = this.#domains?.[host] ?? '';
    const named =
      domain === '' ? `hosts without the label ${this.#label}` : `hosts of ${this.#label} ${domain}`;
    return `${listNames(this.#outWith(host))} to come back: at most ${this.#max} of the ${named} may be out`;
  }

  #outWith(host: HostIndex): readonly string[] {
    return this.#out.get(this.#domains?.[host] ?? '') ?? [];
  }
}
