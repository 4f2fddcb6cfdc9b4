import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { z } from 'zod';
import { ConstraintBook } from '../src/core/constraint-book.ts';
import {
  CONSTRAINT_SHARDS,
  constraintMessage,
  constraintRef,
  constraintShard,
  constraintsInput,
  refOfConstraint,
  type ConstraintMessage,
  type ConstraintRef,
  type ConstraintsState,
} from '../src/core/constraints.ts';
import { renderConstraints } from '../src/core/details.ts';
import { describeIssues } from '../src/core/session-spec.ts';
import { failWith } from './failures.ts';
import {
  constraintQuery,
  constraintsQuery,
  deleteConstraintUpdate,
  putConstraintUpdate,
} from './messages.ts';
import { siteAttribute } from './search-attributes.ts';

/**
 * A run is continued as new after so many events, about a hundred changes: long before Temporal suggests it, since a
 * worker that takes over a site has to read all of its parts anew before it can plan.
 */
const HISTORY_LIMIT = 500;

/** What one run hands to the next. */
interface Carried {
  state: ConstraintsState;
  historyLimit: number;
}

/**
 * Keeps a part of what the projects of a site said of their instances and groups. It never ends by itself, and whoever
 * writes first starts it; a part that does not run holds nothing. It takes no cancellation: that would lose them all.
 *
 * @throws ApplicationFailure InvalidMessage when it is started with another input
 */
export async function constraints(input: unknown, carried?: Carried): Promise<never> {
  const { site, shard } = read(constraintsInput, input);
  const book = new ConstraintBook(carried?.state ?? { instances: [], groups: [] });
  let changes = 0;
  const note = (changed: boolean): { changed: boolean } => {
    if (changed) changes += 1;
    setCurrentDetails(renderConstraints({ site, shard, shards: CONSTRAINT_SHARDS, ...book.counts }));
    return { changed };
  };

  const readPut = (raw: unknown): ConstraintMessage => {
    const message = read(constraintMessage, raw);
    assertHere(refOfConstraint(message), shard);
    const full = book.whyNot(message);
    if (full !== undefined) throw failWith('InvalidMessage', full);
    return message;
  };
  const readRef = (raw: unknown): ConstraintRef => {
    const ref = read(constraintRef, raw);
    assertHere(ref, shard);
    return ref;
  };

  setHandler(putConstraintUpdate, (raw) => note(book.put(readPut(raw))), {
    validator: (raw) => void readPut(raw),
    description:
      'Keep a constraint, in the place of the one before: {"kind": "instance"|"group", "value": {…}}; see docs/fenix.md',
  });
  setHandler(deleteConstraintUpdate, (raw) => note(book.delete(readRef(raw))), {
    validator: (raw) => void readRef(raw),
    description: 'Forget a constraint, if it is there: {"kind": "instance"|"group", "id": "…"}',
  });
  setHandler(constraintQuery, (raw) => book.get(readRef(raw)), {
    description: 'One constraint: {"kind": "instance"|"group", "id": "…"}',
  });
  setHandler(
    constraintsQuery,
    (request) => {
      // A run that was reset counts its changes anew, under another id.
      const version = `${workflowInfo().runId}/${changes}`;
      return request?.unless === version ? { version } : { version, state: book.toState() };
    },
    {
      description:
        'All of this part, with a version: {"unless": VERSION} answers only that if nothing has changed',
    },
  );

  if (carried === undefined) upsertSearchAttributes(siteAttribute(site));
  note(false);
  return CancellationScope.nonCancellable(async () => {
    const historyLimit = carried?.historyLimit ?? HISTORY_LIMIT;
    await condition(() => {
      const { continueAsNewSuggested, historyLength } = workflowInfo();
      return continueAsNewSuggested || historyLength >= historyLimit;
    });
    await condition(allHandlersFinished);
    const next: Carried = { state: book.toState(), historyLimit };
    return continueAsNew<(input: unknown, carried: Carried) => Promise<never>>(input, next);
  });
}

function read<Schema extends z.ZodType>(schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = describeIssues(parsed.error, 'is not a key of a constraint');
  throw failWith('InvalidMessage', problems.join('; '), { problems });
}

/** Readers look for it in no other part. */
function assertHere({ id }: ConstraintRef, shard: number): void {
  const right = constraintShard(id);
  if (right !== shard)
    throw failWith('InvalidMessage', `"${id}" belongs to part ${right}, and this is ${shard}`);
}
