/** Which hosts may take instances of a host that is emptied. */
import type { Host } from '../inventory.ts';
import type { HostStatus } from '../standing.ts';
import type { PoolIndex } from './pools.ts';
import type { HostIndex, Snapshot } from './snapshot.ts';

/**
 * `safe`: an instance that goes there can stay: the session is through with the host, or never comes to it.
 * `unsafe`: the host is still to be taken out, so the instance will have to move a second time.
 * `forbidden`: out, held, or not in service.
 */
export type TargetKind = 'safe' | 'unsafe' | 'forbidden';

/** Each host of a snapshot as a target, for one decision. */
export class Targets {
  readonly #snapshot: Snapshot;
  readonly #kinds: TargetKind[];
  readonly #safe: HostIndex[][];
  readonly #unsafe: HostIndex[][];
  readonly #reserves: number[] = [];

  /** `scope`: how the hosts of the session stand, by name; those that are not in it are not taken out. */
  constructor(snapshot: Snapshot, scope: ReadonlyMap<string, HostStatus>) {
    this.#snapshot = snapshot;
    this.#kinds = snapshot.hosts.map((host) => kindOf(host, scope.get(host.name)));
    this.#safe = snapshot.pools.hosts.map(() => []);
    this.#unsafe = snapshot.pools.hosts.map(() => []);
    this.#kinds.forEach((kind, host) => {
      const pool = snapshot.pools.of[host] ?? 0;
      if (kind === 'safe') this.#safe[pool]?.push(host);
      if (kind === 'unsafe') this.#unsafe[pool]?.push(host);
      if (scope.get(snapshot.host(host).name) === 'pending') this.#reserve(host, pool);
    });
  }

  kind(host: HostIndex): TargetKind {
    return this.#kinds[host] ?? 'forbidden';
  }

  /**
   * Memory to keep free on the safe targets of the pool: as much as its largest host that is still to be taken out has
   * in use. Then the pool can always empty its next host by itself, whatever comes in from other pools.
   */
  reserveMb(pool: PoolIndex): number {
    return this.#reserves[pool] ?? 0;
  }

  /** Safe targets in the pool. */
  safe(pool: PoolIndex): readonly HostIndex[] {
    return this.#safe[pool] ?? [];
  }

  /** Unsafe targets in the pool. */
  unsafe(pool: PoolIndex): readonly HostIndex[] {
    return this.#unsafe[pool] ?? [];
  }

  #reserve(host: HostIndex, pool: PoolIndex): void {
    const { pins, memoryMb } = this.#snapshot.running(host);
    if (pins.length > 0) this.#reserves[pool] = Math.max(this.reserveMb(pool), memoryMb);
  }

  /** The host is taken out: nothing goes there any more. */
  forbid(host: HostIndex): void {
    const pool = this.#snapshot.pools.of[host] ?? 0;
    for (const lists of [this.#safe, this.#unsafe]) {
      const hosts = lists[pool] ?? [];
      const position = hosts.indexOf(host);
      if (position >= 0) hosts.splice(position, 1);
    }
    this.#kinds[host] = 'forbidden';
  }
}

function kindOf(host: Host, status: HostStatus | undefined): TargetKind {
  if (host.standing !== 'in-service') return 'forbidden';
  switch (status) {
    case 'out':
    case 'held':
      return 'forbidden';
    case 'pending':
      return 'unsafe';
    case 'done':
    case 'skipped':
    case 'rolled-back':
    case undefined:
      return 'safe';
  }
}
