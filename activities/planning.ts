/** Activities that look at the whole site: what a session means, its plan, and which hosts come next. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ActionsConfig } from '../src/config.ts';
import type { HostOutcome, HostSpec } from '../src/core/host-run.ts';
import { isRunning, type Host, type Instance } from '../src/core/inventory.ts';
import { listed } from '../src/core/listed.ts';
import {
  nextHosts,
  type ChosenHost as Choice,
  type NextHostsRequest,
} from '../src/core/planning/next-hosts.ts';
import { planSession, workSeconds } from '../src/core/planning/plan-session.ts';
import type { Snapshot } from '../src/core/planning/snapshot.ts';
import { parseMark } from '../src/core/mark.ts';
import {
  PLAIN_REQUEST,
  PLATFORM_OPTIONS,
  type Drain,
  type MaintenanceRequest,
  type PlatformOptions,
} from '../src/core/platform-options.ts';
import type { SessionSpec } from '../src/core/session-spec.ts';
import type { HostStatus } from '../src/core/standing.ts';
import type { Capabilities, Driver } from '../src/drivers/driver.ts';
import { hostWorkflowId } from '../src/names.ts';
import { resolveActions } from './actions/resolve.ts';
import type { ChosenHost, HostChoice, SiteActivities } from './contract.ts';
import { createDrainActivities, type PlanningDeps } from './drain.ts';
import { perform } from './io.ts';
import { describe, holderOf, invalidSession, readOutcome } from './session.ts';
import type { SessionStanding } from './standing-reader.ts';

const PROBLEMS_NAMED = 20;
const CANDIDATES_NAMED = 5;

type PlanningActivities = Pick<
  SiteActivities,
  'resolveSession' | 'planSession' | 'chooseHosts' | 'precheckHost' | 'planDrain'
>;

export function createPlanningActivities(
  deps: PlanningDeps & { actions: ActionsConfig },
): PlanningActivities {
  const { driver, client, inventory, reader } = deps;
  return {
    ...createDrainActivities(deps),

    resolveSession: ({ hosts, instances, actions, drain, options = {} }) =>
      perform(async (io) => {
        const snapshot = await inventory.snapshot(io, true);
        const resolved = resolveActions(actions, deps.actions);
        const found = resolveHosts(hosts, snapshot);
        const problems = [
          ...found.problems,
          ...resolved.problems,
          ...overrideProblems(instances, snapshot),
          ...platformProblems(driver, { drain, options }),
        ];
        if (problems.length > 0) throw invalidSession(listed(problems, PROBLEMS_NAMED, '; '));
        return {
          hosts: found.hosts,
          instances: countLeaving(found.hosts, snapshot, instances.stopped),
          actions: resolved.actions,
          ...maintenanceOf(driver, { drain, options }),
        };
      }),

    planSession: ({ session }) =>
      perform(async (io) => {
        const standing = await reader.readOpen(session);
        const snapshot = await inventory.snapshot(io, true);
        const steps = planSession({
          snapshot,
          scope: standing.hosts,
          spec: standing,
          capabilities: driver.capabilities,
        });
        // A large plan takes seconds; in between, other activities must be able to say that they are alive.
        for (;;) {
          const step = steps.next();
          if (step.done === true) return step.value;
          await nextTurn();
          io.signal.throwIfAborted();
        }
      }),

    chooseHosts: ({ site, session, slots }) =>
      perform(async (io) => {
        const standing = await reader.readOpen(session);
        const snapshot = await inventory.snapshot(io);
        const busy = await findBusyHosts(standing, snapshot);
        let choice: HostChoice | undefined;
        while (!choice) choice = await choose({ site, slots, standing, snapshot }, busy);
        return choice;
      }),
  };

  /** Undefined when another session has a host that was chosen: it is now among the busy ones. */
  async function choose(
    { site, slots, standing, snapshot }: ChoiceRequest,
    busy: BusyHosts,
  ): Promise<HostChoice | undefined> {
    const { start, waitFor = busy.waitFor } = nextHosts({
      ...questionOf(standing, snapshot, driver.capabilities),
      scope: busy.scope,
      outElsewhere: busy.elsewhere,
      freeSlots: slots,
      ...(standing.retry.length === 0 ? {} : { first: new Set(standing.retry) }),
    });
    const alreadyDone: HostOutcome[] = [];
    const fresh: ChosenHost[] = [];
    let isTaken = false;
    for (const choice of start) {
      const run = await describe(client, hostWorkflowId(site, choice.host));
      const holder = holderOf(run);
      // One that puts a host back for a session which this one resumes is through with it soon, and is waited for.
      if (standing.onBusyHost === 'wait' && holder && !standing.sessions.includes(holder.session)) {
        noteBusy(busy, choice.host, holder.session);
        isTaken = true;
        continue;
      }
      const isRetried = standing.retry.includes(choice.host);
      const outcome = isRetried ? undefined : await readOutcome(client, run, standing.chain);
      if (outcome) alreadyDone.push(outcome);
      else fresh.push(chosen(choice, snapshot, standing.instances));
    }
    return isTaken ? undefined : { start: fresh, alreadyDone, ...(waitFor === undefined ? {} : { waitFor }) };
  }

  /** Hosts that another open session holds are passed over while that lasts, if the session is to wait for them. */
  async function findBusyHosts(standing: SessionStanding, snapshot: Snapshot): Promise<BusyHosts> {
    const scope = new Map(standing.scope);
    const elsewhere = new Set<string>();
    const busy: BusyHosts = { scope, elsewhere };
    if (standing.onBusyHost === 'fail') return busy;
    for (const [name, session] of await findTakenHosts(standing, snapshot)) {
      if (scope.get(name) === 'pending') noteBusy(busy, name, session);
      else elsewhere.add(name);
    }
    return busy;
  }

  /** Hosts that carry the mark of another open session, with that session. */
  async function findTakenHosts(
    { sessions }: SessionStanding,
    snapshot: Snapshot,
  ): Promise<Map<string, string>> {
    const taken = new Map<string, string>();
    const open = new Map<string, boolean>();
    for (const { name, cordonReason } of snapshot.hosts) {
      const session = parseMark(cordonReason)?.session;
      if (session === undefined || sessions.includes(session)) continue;
      const isOpen = open.get(session) ?? (await describe(client, session))?.status.name === 'RUNNING';
      open.set(session, isOpen);
      if (isOpen) taken.set(name, session);
    }
    return taken;
  }
}

/** What the planner has to know of a session, but for which of its hosts may be chosen, and how many. */
export const questionOf = (
  { out: inFlight, budget, order, instances: wishes, actions }: SessionStanding,
  snapshot: Snapshot,
  { moveMbPerSecond, limits }: Capabilities,
): Omit<NextHostsRequest, 'scope' | 'freeSlots' | 'first'> => ({
  snapshot,
  inFlight,
  budget,
  ...(limits === undefined ? {} : { limits }),
  ...(order === undefined ? {} : { order }),
  wishes,
  moveMbPerSecond,
  workSeconds: workSeconds(actions),
});

interface ChoiceRequest {
  site: string;
  slots: number;
  standing: SessionStanding;
  snapshot: Snapshot;
}

/** How hosts stand for the planner, which passes over those that other sessions have. */
interface BusyHosts {
  scope: Map<string, HostStatus>;
  /** Hosts that others have out and this session does not wait for. */
  elsewhere: ReadonlySet<string>;
  /** Names one of them. */
  waitFor?: string;
}

function noteBusy(busy: BusyHosts, host: string, session: string): void {
  busy.scope.set(host, 'held');
  busy.waitFor ??= `${host} is taken by session ${session}`;
}

function chosen(choice: Choice, snapshot: Snapshot, { overrides }: SessionSpec['instances']): ChosenHost {
  const { host, role, placement, moveSlots, groupShares, estimateMs } = choice;
  const index = snapshot.indexOf(host);
  const own: HostSpec['instances']['overrides'] = {};
  for (const { id, name } of index === undefined ? [] : snapshot.instancesOn(index)) {
    for (const key of [id, name]) {
      const mode = Object.hasOwn(overrides, key) ? overrides[key] : undefined;
      if (mode !== undefined) own[key] = mode;
    }
  }
  return { host, role, placement, moveSlots, groupShares: { ...groupShares }, estimateMs, overrides: own };
}

interface Asked {
  drain: Drain | undefined;
  options: PlatformOptions;
}

function platformProblems({ platform, capabilities }: Driver, { drain, options }: Asked): string[] {
  const { drains, options: known } = capabilities;
  const foreign = PLATFORM_OPTIONS.filter((key) => options[key] !== undefined && !known.includes(key));
  return [
    ...(drain === undefined || drains.includes(drain)
      ? []
      : [`drain: "${drain}" is not possible on platform ${platform}; possible is ${drains.join(', ')}`]),
    ...foreign.map((key) => `${key}: the site is of platform ${platform}, which does not read it`),
  ];
}

/** Nothing where nothing else is asked than what always holds: it is kept in every host's history. */
function maintenanceOf(driver: Driver, asked: Asked): { maintenance?: MaintenanceRequest } {
  const drain = asked.drain ?? driver.capabilities.drains[0];
  const extras = {
    ...(driver.openWindow ? { window: true as const } : {}),
    ...(driver.planExit ? { plansExit: true as const } : {}),
  };
  const isPlain =
    drain === PLAIN_REQUEST.drain &&
    Object.keys(asked.options).length === 0 &&
    Object.keys(extras).length === 0;
  return isPlain ? {} : { maintenance: { drain, options: asked.options, ...extras } };
}

function resolveHosts(
  wanted: SessionSpec['hosts'],
  snapshot: Snapshot,
): { hosts: string[]; problems: string[] } {
  if (Array.isArray(wanted)) {
    const found = namesOf(wanted, snapshot);
    if (found.problems.length > 0) return { hosts: [], problems: found.problems };
    if (wanted.length > 0) return found;
    const all = snapshot.hosts.map(({ name }) => name);
    return { hosts: all, problems: all.length === 0 ? ['hosts: the site has no hosts'] : [] };
  }
  const labels = Object.entries(wanted.selector);
  const matching = snapshot.hosts.filter((host) =>
    labels.every(([label, value]) => labelOf(host, label) === value),
  );
  const text = labels.map(([label, value]) => `${label}=${value}`).join(', ');
  return {
    hosts: matching.map(({ name }) => name),
    problems: matching.length === 0 ? [`hosts.selector: no host of the site has the labels ${text}`] : [],
  };
}

/** Hosts by their names, or by what else they are known by. */
function namesOf(wanted: readonly string[], snapshot: Snapshot): { hosts: string[]; problems: string[] } {
  const hosts = new Set<string>();
  const problems: string[] = [];
  let byAlias: Map<string, string[]> | undefined;
  for (const [index, typed] of wanted.entries()) {
    byAlias ??= snapshot.indexOf(typed) === undefined ? aliasesOf(snapshot) : undefined;
    const names = snapshot.indexOf(typed) === undefined ? (byAlias?.get(typed) ?? []) : [typed];
    const [name, ...more] = names;
    if (name === undefined) problems.push(`hosts.${index}: the site has no host "${typed}"`);
    else if (more.length > 0) {
      const candidates = listed(names, CANDIDATES_NAMED);
      problems.push(`hosts.${index}: "${typed}" may be any of ${candidates}`);
    } else if (hosts.has(name))
      problems.push(`hosts.${index}: "${typed}" is ${name}, which is listed already`);
    else hosts.add(name);
  }
  return { hosts: [...hosts], problems };
}

function aliasesOf(snapshot: Snapshot): Map<string, string[]> {
  const byAlias = new Map<string, string[]>();
  for (const { name, aliases = [] } of snapshot.hosts) {
    for (const alias of aliases) byAlias.set(alias, [...(byAlias.get(alias) ?? []), name]);
  }
  return byAlias;
}

const labelOf = ({ labels, role }: Host, label: string): string | undefined =>
  labels[label] ?? (label === 'role' ? role : undefined);

function overrideProblems({ overrides }: SessionSpec['instances'], snapshot: Snapshot): string[] {
  return Object.keys(overrides).flatMap((key) =>
    snapshot.instancesCalled(key).length > 0
      ? []
      : [`instances.overrides.${key}: the site has no instance of this name or id`],
  );
}

function countLeaving(
  hosts: readonly string[],
  snapshot: Snapshot,
  stopped: SessionSpec['instances']['stopped'],
): number {
  const leaves = (instance: Instance): boolean =>
    isRunning(instance) || (instance.state === 'stopped' && stopped === 'move');
  return hosts.reduce((sum, host) => {
    const index = snapshot.indexOf(host);
    return sum + (index === undefined ? 0 : snapshot.instancesOn(index).filter(leaves).length);
  }, 0);
}
