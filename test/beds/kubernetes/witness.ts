/**
 * What the API server itself has recorded: every write to nodes, locks and requests, and every eviction, in its order. It
 * is held against the rules of the maintenance API; it shares nothing with the driver.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AUDIT_LOG } from './bed.ts';

const record = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({
      resource: z.string(),
      subresource: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
  responseObject: z.unknown().optional(),
  requestReceivedTimestamp: z.coerce.date(),
  stageTimestamp: z.coerce.date(),
});
export type Call = z.output<typeof record>;

const lock = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({ state: z.string() }).optional(),
});
const node = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ unschedulable: z.boolean().default(false) }),
});
const request = z.object({ spec: z.object({ nodeName: z.string() }) });

export interface Judgement {
  /** What went against the rules, each a sentence. */
  objections: string[];
  /** Most nodes that were cordoned at one time. */
  mostOut: number;
  /** Of each node that was cordoned by the driver: from its last lock's release until then, in milliseconds. */
  reactionsMs: number[];
  /** Calls of the driver. */
  calls: number;
}

/** How many bytes the record has by now: where a test begins to read. */
export const recorded = async (): Promise<number> => (await readFile(AUDIT_LOG)).length;

/**
 * Calls that have ended since, in the order in which they came: who watches may answer a write before that has ended, and
 * nobody before it came.
 */
async function callsSince(offset: number): Promise<Call[]> {
  const log = await readFile(AUDIT_LOG);
  if (log.length <= offset) throw new Error(`${AUDIT_LOG} has been begun anew: nothing can be said`);
  const text = log.subarray(offset).toString();
  const lines = text.split('\n').filter((line) => line.endsWith('}'));
  const calls = lines.map((line) => record.parse(JSON.parse(line)));
  return calls.sort((a, b) => a.requestReceivedTimestamp.getTime() - b.requestReceivedTimestamp.getTime());
}

/** How many calls of somebody have ended since. */
export const callsBy = async (offset: number, who: string): Promise<number> =>
  (await callsSince(offset)).filter(({ user }) => user.username === who).length;

/**
 * Goes through the record as it was written, and holds each touch of a node against the locks as they were then.
 *
 * @param since what was called before it is only taken in
 */
export async function judge(offset: number, driver: string, since: Date): Promise<Judgement> {
  const calls = await callsSince(offset);
  const world = new World();
  const judgement: Judgement = { objections: [], mostOut: 0, reactionsMs: [], calls: 0 };
  for (const call of calls) {
    const isDrivers = call.user.username === driver;
    const counts = call.stageTimestamp >= since;
    if (isDrivers && counts) judgement.calls += 1;
    if ((call.responseStatus?.code ?? 500) >= 300) continue;
    if (isDrivers && counts) world.judge(call, judgement);
    world.take(call, isDrivers);
    if (counts) judgement.mostOut = Math.max(judgement.mostOut, world.out.size);
  }
  return judgement;
}

class World {
  /** By name of the lock. */
  readonly #locks = new Map<string, { node: string | undefined; state: string; at: number }>();
  readonly #requests = new Map<string, string>();
  /** Nodes that take no pods, whoever has said so. */
  readonly #cordoned = new Set<string>();
  /** Those of them that the driver has cordoned. */
  readonly out = new Set<string>();

  take({ verb, objectRef, responseObject, stageTimestamp }: Call, isDrivers: boolean): void {
    const { resource = '', name = '' } = objectRef ?? {};
    const isDelete = verb === 'delete';
    if (resource === 'nodeworkloadlocks' || resource === 'clusterworkloadlocks') {
      const seen = lock.safeParse(responseObject);
      if (isDelete) this.#locks.delete(name);
      else if (seen.success) {
        const { metadata, spec, status } = seen.data;
        const before = this.#locks.get(metadata.name);
        const state = status?.state ?? 'active';
        const at = before?.state === state ? before.at : stageTimestamp.getTime();
        this.#locks.set(metadata.name, { node: spec.nodeName, state, at });
      }
    } else if (resource === 'nodemaintenancerequests') {
      const seen = request.safeParse(responseObject);
      if (isDelete) this.#requests.delete(name);
      else if (seen.success) this.#requests.set(nameOf(responseObject) ?? name, seen.data.spec.nodeName);
    } else if (resource === 'nodes') {
      const seen = node.safeParse(responseObject);
      // Of reads no object is recorded.
      if (!seen.success && !isDelete) return;
      const isCordoned = seen.data?.spec.unschedulable === true && !isDelete;
      if (isCordoned && isDrivers && !this.#cordoned.has(name)) this.out.add(name);
      if (isCordoned) this.#cordoned.add(name);
      else for (const set of [this.out, this.#cordoned]) set.delete(name);
    }
  }

  /** Holds a call of the driver against what stands before it. */
  judge(call: Call, { objections, reactionsMs }: Judgement): void {
    const { resource = '', subresource, name = '' } = call.objectRef ?? {};
    if (resource === 'nodemaintenancerequests' && call.verb === 'create') {
      const held = [...this.#locks].filter(
        ([, { node: of, state }]) => of === undefined && state !== 'inactive',
      );
      for (const [of] of held) objections.push(`a node was asked for while ${of} was active`);
    }
    if (resource === 'nodes' && call.verb === 'patch') {
      const seen = node.safeParse(call.responseObject);
      if (!seen.success || this.#cordoned.has(name) === seen.data.spec.unschedulable) return;
      this.#expectReleased(name, seen.data.spec.unschedulable ? 'cordoned' : 'uncordoned', objections);
      const last = Math.max(...this.#locksOf(name).map(({ at }) => at));
      if (seen.data.spec.unschedulable) reactionsMs.push(call.stageTimestamp.getTime() - last);
    }
    if (resource === 'pods' && subresource === 'eviction') {
      const asked = [...this.#requests.values()].filter((of) => this.#cordoned.has(of));
      if (asked.length === 0) objections.push(`${name} was evicted while no node was cordoned`);
      for (const of of asked) this.#expectReleased(of, `drained of ${name}`, objections);
    }
    if (resource === 'clustermaintenancerequests' && call.verb === 'delete') {
      for (const of of this.#requests.values())
        objections.push(`the window was closed while ${of} was asked for`);
      for (const of of this.out) objections.push(`the window was closed while ${of} was cordoned`);
    }
  }

  #expectReleased(of: string, what: string, objections: string[]): void {
    if (![...this.#requests.values()].includes(of)) objections.push(`${of} was ${what} without a request`);
    const held = this.#locksOf(of).filter(({ state }) => state !== 'inactive');
    if (held.length > 0) objections.push(`${of} was ${what} while ${held.length} of its locks were held`);
  }

  #locksOf(of: string): { state: string; at: number }[] {
    return [...this.#locks.values()].filter((one) => one.node === of);
  }
}

function nameOf(object: unknown): string | undefined {
  const parsed = z.object({ metadata: z.object({ name: z.string() }) }).safeParse(object);
  return parsed.data?.metadata.name;
}
