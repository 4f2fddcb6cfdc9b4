/** Which hosts have to be through before others may start, where the session says so. */
import type { HostOrder } from '../session-spec.ts';
import type { HostStatus } from '../standing.ts';
import { listNames } from './natural-order.ts';
import type { HostIndex, Snapshot } from './snapshot.ts';

const isThrough = (status: HostStatus): boolean =>
  status === 'done' || status === 'skipped' || status === 'rolled-back';

export class Turns {
  readonly #groups: readonly string[];
  readonly #order: HostOrder;
  /** The first turn in which a host is not through yet, and those hosts. */
  readonly #turn: number;
  readonly #waitedFor: readonly string[];

  /** A host that is held keeps those of later turns waiting: whoever ordered them so wants it seen to first. */
  constructor(snapshot: Snapshot, order: HostOrder, scope: ReadonlyMap<string, HostStatus>) {
    this.#order = order;
    this.#groups = snapshot.domains(order.label);
    const open = snapshot.hosts.flatMap(({ name }, host) => {
      const status = scope.get(name);
      return status === undefined || isThrough(status) ? [] : [{ name, turn: this.#turnOf(host) }];
    });
    this.#turn = Math.min(...open.map(({ turn }) => turn));
    this.#waitedFor = open.filter(({ turn }) => turn === this.#turn).map(({ name }) => name);
  }

  /** Undefined when it is its turn. */
  whyNot(host: HostIndex): string | undefined {
    if (this.#turnOf(host) <= this.#turn) return undefined;
    const { label, values } = this.#order;
    return `${listNames(this.#waitedFor)} to be through: hosts of ${label} ${values[this.#turn] ?? ''} come first`;
  }

  #turnOf(host: HostIndex): number {
    const turn = this.#order.values.indexOf(this.#groups[host] ?? '');
    return turn === -1 ? this.#order.values.length : turn;
  }
}
