/** Faults that are asked for: which request they strike, how often, and what they do to it. */
import { z } from 'zod';
import { type Random, seededRandom } from './random.ts';
import { NATURAL, type Fate } from './tasks.ts';

/** Operations that start a task. */
const STARTING = ['migrate', 'stop', 'start', 'enter', 'exit', 'work'] as const;

/**
 * What a request does. `inventory`: reads of hosts, instances and groups; `tasks`: lists of tasks; `abort`: of a task;
 * `task:<kind>`: reads of one task of that kind.
 */
export const OPERATIONS = [
  ...STARTING,
  'inventory',
  'cordon',
  'uncordon',
  'tasks',
  'abort',
  'task:migrate',
  'task:stop',
  'task:start',
  'task:enter',
  'task:exit',
  'task:work',
] as const;
export type Operation = (typeof OPERATIONS)[number];

const milliseconds = z.number().min(0).max(86_400_000);
const words = z.string().min(1).max(2000);

const effect = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('fail'), status: z.int().min(400).max(599), code: words, message: words })
    .describe('Refuse the request'),
  z
    .strictObject({ kind: z.literal('failTask'), code: words, message: words })
    .describe('Accept it, then fail its task half-way'),
  z.strictObject({ kind: z.literal('neverEnds') }).describe('Accept it; its task runs for ever'),
  z
    .strictObject({ kind: z.literal('hang'), ms: milliseconds.optional() })
    .describe('Do it, and answer after ms; never, when absent'),
  z.strictObject({ kind: z.literal('slow'), ms: milliseconds }).describe('Wait, then do it'),
  z.strictObject({ kind: z.literal('dropConnection') }).describe('Cut the connection without doing it'),
  z.strictObject({ kind: z.literal('loseAnswer') }).describe('Do it, then cut the connection'),
  z.strictObject({ kind: z.literal('garbage') }).describe('Answer 200 with a page of HTML, without doing it'),
  z
    .strictObject({ kind: z.literal('retryAfter'), seconds: z.int().min(0).max(86_400) })
    .describe('Answer 429 with Retry-After'),
]);
export type Effect = z.output<typeof effect>;

/** A fault as it is asked for. */
export const faultSpec = z
  .strictObject({
    match: z.strictObject({
      operation: z.enum([...OPERATIONS, 'any']),
      host: words.optional().describe('Host of the request; for an instance, the one it is on'),
      instance: words.optional().describe('Id or name'),
      probability: z.number().gt(0).max(1).default(1),
      after: z.int().min(0).default(0).describe('Requests that match and pass before the first is struck'),
      times: z.int().min(1).optional().describe('Requests that are struck; absent: all'),
    }),
    effect,
  })
  .refine(
    ({ match, effect: { kind } }) =>
      startsTask(match.operation) || (kind !== 'failTask' && kind !== 'neverEnds'),
    {
      path: ['effect', 'kind'],
      message: `concerns a task, and only ${STARTING.join(', ')} start one`,
    },
  );
export type FaultSpec = z.output<typeof faultSpec>;

export interface Fault extends FaultSpec {
  id: string;
  /** Requests that matched, and those of them that were struck. */
  matched: number;
  struck: number;
}

/** A request as faults see it. */
export interface Target {
  operation: Operation;
  host?: string | undefined;
  instance?: { id: string; name: string } | undefined;
}

export class Faults {
  readonly #random: Random;
  #faults: Fault[] = [];
  #added = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  add(spec: FaultSpec): Fault {
    this.#added += 1;
    const fault = { ...spec, id: `fault-${this.#added}`, matched: 0, struck: 0 };
    this.#faults.push(fault);
    return fault;
  }

  list(): readonly Fault[] {
    return this.#faults;
  }

  clear(): void {
    this.#faults = [];
  }

  /** The first fault, in the order they were added, that strikes this request; counts it. */
  strike(target: Target): Fault | undefined {
    return this.#faults.find((fault) => matches(fault, target) && this.#strikes(fault));
  }

  #strikes(fault: Fault): boolean {
    const { after, times, probability } = fault.match;
    fault.matched += 1;
    if (fault.matched <= after || fault.struck >= (times ?? Infinity)) return false;
    if (probability < 1 && this.#random() >= probability) return false;
    fault.struck += 1;
    return true;
  }
}

/** What becomes of the task that a struck request starts. */
export function fateOf(struck: Effect | undefined): Fate {
  if (struck?.kind === 'failTask') return { kind: 'fails', code: struck.code, message: struck.message };
  if (struck?.kind === 'neverEnds') return { kind: 'neverEnds' };
  return NATURAL;
}

function matches({ match, effect: { kind } }: Fault, target: Target): boolean {
  if (match.operation !== 'any' && match.operation !== target.operation) return false;
  if ((kind === 'failTask' || kind === 'neverEnds') && !startsTask(target.operation)) return false;
  if (match.host !== undefined && match.host !== target.host) return false;
  return (
    match.instance === undefined ||
    match.instance === target.instance?.id ||
    match.instance === target.instance?.name
  );
}

const startsTask = (operation: Operation | 'any'): boolean =>
  operation === 'any' || (STARTING as readonly string[]).includes(operation);
