/**
 * Judges a run by the journal alone: what a maintenance may never do to a datacentre, and how it has to leave it.
 */
import type { Constraints, GroupConstraint } from '../core/constraints.ts';
import type { Group } from '../core/inventory.ts';
import type { JournalEntry } from './journal.ts';
import { type HostTrace, type InstanceTrace, isInService, isUp, Replay } from './replay.ts';

export type Rule =
  /** The journal has a gap, does not begin at the beginning, or contradicts itself. */
  | 'journal'
  /** An instance is on a host that went down and did not come back. */
  | 'instance-lost'
  | 'moved-too-often'
  | 'left-stopped'
  | 'left-moving'
  /** An instance is not where it was at first, although it should be back. */
  | 'not-returned'
  | 'work-beside-instance'
  | 'work-outside-maintenance'
  | 'work-count'
  | 'capacity'
  | 'requirement'
  /** More members of a group on one host than it allows. */
  | 'spread'
  | 'affinity'
  | 'target-out-of-service'
  | 'max-impacted'
  | 'max-hosts'
  | 'max-hosts-of-domain'
  | 'max-moves'
  | 'max-moves-of-host'
  | 'not-in-service';

export interface Violation {
  rule: Rule;
  message: string;
  /** The entry that broke it; the last one for what is wrong at the end. */
  seq: number;
}

/** What the run was allowed and meant to do; limits that are absent are not checked. */
export interface Expectations {
  /** Moves that ended well. @default 1 */
  maxMovesPerInstance?: number;
  maxConcurrentHosts?: number;
  maxConcurrentMoves?: number;
  maxConcurrentMovesPerHost?: number;
  perDomain?: { label: string; max: number };
  /** Hosts that may be out of service at the end, with instances that are stopped on them. */
  held?: readonly string[];
  /** Hosts on which work has to have ended well exactly once. */
  worked?: readonly string[];
  /** Every instance has to be back where it was at first. */
  returned?: boolean;
  /** What projects have asked for; it holds beside what the groups of the datacentre do. */
  constraints?: Constraints;
}

/** Everything that was wrong, in the order it happened; empty when all was well. */
export function checkJournal(entries: readonly JournalEntry[], expectations: Expectations = {}): Violation[] {
  const checker = new Checker(expectations);
  for (const entry of entries) checker.read(entry);
  return checker.conclude();
}

class Checker {
  readonly #expect: Expectations;
  readonly #replay = new Replay();
  readonly #violations: Violation[] = [];
  /** Work that was found wanting already, by rule. */
  readonly #blamedWork = new Set<string>();
  #seq = 0;

  constructor(expectations: Expectations) {
    this.#expect = expectations;
  }

  read(entry: JournalEntry): void {
    const expected = this.#seq + 1;
    this.#seq = entry.seq;
    if (entry.seq !== expected) this.#blame('journal', `entry ${entry.seq} stands where ${expected} should`);
    if ((expected === 1) !== (entry.type === 'datacentre.created')) {
      this.#blame('journal', `entry ${entry.seq} is ${entry.type}`);
    }
    const outBefore = this.#replay.out.size;
    this.#before(entry);
    this.#replay.apply(entry);
    this.#after(entry);
    if (this.#replay.out.size > outBefore && 'host' in entry) this.#checkHostBudgets(entry.host);
  }

  conclude(): Violation[] {
    if (this.#seq === 0) this.#blame('journal', 'the journal is empty');
    for (const instance of this.#replay.instances.values()) this.#concludeInstance(instance);
    for (const host of this.#replay.hosts.values()) this.#concludeHost(host);
    for (const name of this.#expect.worked ?? []) {
      const times = this.#replay.hosts.get(name)?.worked ?? 0;
      if (times !== 1) this.#blame('work-count', `work on ${name} ended well ${times} times`);
    }
    return this.#violations;
  }

  #before(entry: JournalEntry): void {
    if (entry.type === 'instance.migration.started') this.#beforeMove(entry);
    if (entry.type === 'instance.migration.ended') {
      const instance = this.#replay.instances.get(entry.instance);
      if (instance?.movingTo !== entry.to || instance.host !== entry.from) {
        this.#blame(
          'journal',
          `${entry.instance} ends a move from ${entry.from} to ${entry.to} that it did not start`,
        );
      }
    }
  }

  #beforeMove({
    instance: id,
    from,
    to,
  }: Extract<JournalEntry, { type: 'instance.migration.started' }>): void {
    const instance = this.#replay.instances.get(id);
    const target = this.#replay.hosts.get(to);
    if (!instance || !target || instance.host !== from || instance.movingTo !== undefined) {
      this.#blame('journal', `${id} cannot start a move from ${from} to ${to}`);
      return;
    }
    if (!isInService(target)) this.#blame('target-out-of-service', `${instance.name} moves to ${to}`);
    this.#checkRequirements(instance, target);
    this.#checkCapacity(instance, target);
    for (const group of this.#groupsOf(instance)) this.#checkGroup(instance, group, target);
  }

  #after(entry: JournalEntry): void {
    switch (entry.type) {
      case 'instance.migration.started':
        this.#checkMoveBudgets(entry.from);
        this.#checkImpact(entry);
        break;
      case 'instance.migration.ended':
        if (entry.outcome === 'ok') this.#checkMoves(entry.instance);
        break;
      case 'instance.stopped':
        this.#checkImpact(entry);
        break;
      default:
        break;
    }
    if (entry.type !== 'request') this.#checkWork(entry);
  }

  #checkRequirements({ name, requires }: InstanceTrace, target: HostTrace): void {
    for (const [label, value] of Object.entries(requires)) {
      if (target.labels[label] !== value) {
        this.#blame('requirement', `${name} needs ${label}=${value} and moves to ${target.name}`);
      }
    }
  }

  #checkCapacity({ name, resources }: InstanceTrace, target: HostTrace): void {
    const claims = [...target.residents, ...target.arriving];
    for (const kind of ['vcpus', 'memoryMb', 'diskGb'] as const) {
      const wanted = claims.reduce((sum, claim) => sum + claim.resources[kind], resources[kind]);
      if (wanted > target.capacity[kind]) {
        const has = target.capacity[kind];
        this.#blame('capacity', `with ${name}, ${target.name} would give ${wanted} ${kind} and has ${has}`);
      }
    }
  }

  #checkGroup(instance: InstanceTrace, group: Group, target: HostTrace): void {
    const others = this.#membersOf(group).filter((member) => member !== instance);
    const most = group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);
    const there = others.filter(({ host, movingTo }) => host === target.name || movingTo === target.name);
    if (there.length + 1 > most) {
      this.#blame('spread', `${there.length + 1} of group ${group.name} on ${target.name}, at most ${most}`);
    }
    if (group.policy !== 'affinity') return;
    const astray = others
      .map(({ host, movingTo }) => movingTo ?? host)
      .find((host) => host !== instance.host && host !== target.name);
    if (astray !== undefined) {
      this.#blame(
        'affinity',
        `${instance.name} moves to ${target.name}, others of ${group.name} are on ${astray}`,
      );
    }
  }

  /** Members that move, that we have stopped, or that recover from either. */
  #checkImpact({ instance: id, time }: Extract<JournalEntry, { instance: string; time: string }>): void {
    const instance = this.#replay.instances.get(id);
    if (!instance) return;
    for (const group of this.#groupsOf(instance)) {
      const { maxImpacted = Infinity, recoverySeconds = 0 } = group;
      const recoversSince = Date.parse(time) - 1000 * recoverySeconds;
      const impacted = this.#membersOf(group).filter(
        ({ movingTo, stoppedBy, disturbedUntil }) =>
          movingTo !== undefined || stoppedBy === 'us' || disturbedUntil > recoversSince,
      );
      if (impacted.length > maxImpacted) {
        this.#blame('max-impacted', `${impacted.length} of group ${group.name}, at most ${maxImpacted}`);
      }
    }
  }

  #checkMoveBudgets(from: string): void {
    const { maxConcurrentMoves = Infinity, maxConcurrentMovesPerHost = Infinity } = this.#expect;
    const { moving } = this.#replay;
    if (moving.size > maxConcurrentMoves) {
      this.#blame('max-moves', `${moving.size} instances move, at most ${maxConcurrentMoves}`);
    }
    const leaving = [...moving].filter(({ host }) => host === from).length;
    if (leaving > maxConcurrentMovesPerHost) {
      this.#blame(
        'max-moves-of-host',
        `${leaving} instances leave ${from}, at most ${maxConcurrentMovesPerHost}`,
      );
    }
  }

  #checkMoves(id: string): void {
    const { maxMovesPerInstance = 1 } = this.#expect;
    const instance = this.#replay.instances.get(id);
    if (instance && instance.moves > maxMovesPerInstance) {
      this.#blame('moved-too-often', `${instance.name} moved ${instance.moves} times`);
    }
  }

  /** After one more host went out. */
  #checkHostBudgets(name: string | undefined): void {
    const out = [...this.#replay.out];
    const { maxConcurrentHosts = Infinity, perDomain } = this.#expect;
    if (out.length > maxConcurrentHosts) {
      this.#blame('max-hosts', `${out.length} hosts are out, at most ${maxConcurrentHosts}`);
    }
    if (!perDomain) return;
    const domain = out.find((host) => host.name === name)?.labels[perDomain.label];
    const beside = out.filter(({ labels }) => labels[perDomain.label] === domain).length;
    if (domain !== undefined && beside > perDomain.max) {
      this.#blame(
        'max-hosts-of-domain',
        `${beside} hosts of ${perDomain.label} ${domain} are out, at most ${perDomain.max}`,
      );
    }
  }

  /** Looks at the work that runs on the hosts which the entry is about; blames each piece once for each rule. */
  #checkWork(entry: JournalEntry): void {
    for (const name of hostsOf(entry)) {
      const host = this.#replay.hosts.get(name);
      if (!host) continue;
      for (const work of host.work) {
        const beside = [...host.residents, ...host.arriving].find(isUp);
        if (beside) this.#blameWork('work-beside-instance', work, `${work} on ${name} beside ${beside.name}`);
        if (host.maintenance !== 'in') {
          this.#blameWork(
            'work-outside-maintenance',
            work,
            `${work} on ${name}, which is ${host.maintenance}`,
          );
        }
      }
    }
  }

  #concludeInstance(instance: InstanceTrace): void {
    const { name, host, home, ranAtFirst, state, stoppedBy, movingTo } = instance;
    const isHeld = this.#isHeld(host);
    if (movingTo !== undefined) this.#blame('left-moving', `${name} moves from ${host} to ${movingTo}`);
    if (this.#replay.hosts.get(host)?.isDown && ranAtFirst && !isHeld) {
      this.#blame('instance-lost', `${name} is on ${host}, which is down`);
    }
    if (ranAtFirst && state === 'stopped' && stoppedBy !== 'others' && !isHeld) {
      this.#blame('left-stopped', `${name} ran at first and is stopped on ${host}`);
    }
    if (this.#expect.returned && host !== home) {
      this.#blame('not-returned', `${name} was on ${home} at first and is on ${host}`);
    }
  }

  /** A host that somebody else cordoned or has in maintenance is theirs to put back. */
  #concludeHost(host: HostTrace): void {
    if (this.#isHeld(host.name)) return;
    if (this.#replay.out.has(host)) {
      this.#blame('not-in-service', `${host.name} is out: ${host.cordon ?? host.maintenanceReason}`);
    } else if (host.isDown) {
      this.#blame('not-in-service', `${host.name} is down`);
    }
  }

  #isHeld(host: string): boolean {
    return this.#expect.held?.includes(host) ?? false;
  }

  /** Those of the datacentre, and those that are asked for; one of either kind may have the id of one of the other. */
  #groupsOf(instance: InstanceTrace): Group[] {
    const { constraints } = this.#expect;
    const own = constraints?.instances.get(instance.id)?.group;
    const ids = new Set([...instance.groups, ...(own === undefined ? [] : [own])]);
    return [...ids].flatMap((id) => {
      const asked = constraints?.groups.get(id);
      return [this.#replay.groups.get(id), asked && asGroup(asked)].filter((group) => group !== undefined);
    });
  }

  #membersOf({ id }: Group): InstanceTrace[] {
    const members = new Set(this.#replay.members.get(id));
    for (const { instance, group } of this.#expect.constraints?.instances.values() ?? []) {
      const member = group === id ? this.#replay.instances.get(instance) : undefined;
      if (member) members.add(member);
    }
    return [...members];
  }

  #blameWork(rule: Rule, work: string, message: string): void {
    const key = `${rule} ${work}`;
    if (this.#blamedWork.has(key)) return;
    this.#blamedWork.add(key);
    this.#blame(rule, message);
  }

  #blame(rule: Rule, message: string): void {
    this.#violations.push({ rule, message, seq: this.#seq });
  }
}

const asGroup = ({ antiAffinity, maxInstancesPerHost, ...constraint }: GroupConstraint): Group => ({
  id: constraint.group,
  name: constraint.name ?? constraint.group,
  policy: 'none',
  ...(maxInstancesPerHost > 0 && { maxPerHost: maxInstancesPerHost }),
  ...(antiAffinity && { maxPerHost: 1 }),
  maxImpacted: constraint.maxImpactedMembers,
  recoverySeconds: constraint.recoverySeconds,
});

/** Hosts that an entry changes something on. */
function hostsOf(entry: JournalEntry): string[] {
  switch (entry.type) {
    case 'instance.migration.started':
    case 'instance.migration.ended':
      return [entry.from, entry.to];
    case 'instance.created':
      return [entry.instance.host];
    case 'request':
    case 'datacentre.created':
      return [];
    default:
      return entry.host === undefined ? [] : [entry.host];
  }
}
