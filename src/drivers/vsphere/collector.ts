/** Bulk reads: many properties of many objects in one walk of vCenter's PropertyCollector, page by page. */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { unwrap, type Vim } from './vim.ts';
import { ref, retrieveResult, toWire, type Ref } from './wire.ts';

/** Objects in one answer: a few megabytes at most. */
const PAGE = 1_000;

/** Names of properties to read, by type of object. A property of a type is read of what derives from it too. */
export type PropertySet = Readonly<Record<string, readonly string[]>>;

/** A step of a walk: from objects of a type along one of their properties, and on from there. */
export interface Step {
  type: string;
  path: string;
  then?: readonly Step[];
}

/** Where a walk begins. */
export interface Start {
  from: Ref;
  /** The object itself is left out of the answer. */
  skip?: boolean;
  steps: readonly Step[];
}

export interface Seen {
  ref: Ref;
  /** By name of the property; without those that are not set, or not ours to read. */
  props: Readonly<Record<string, unknown>>;
}

/** An object and everything of these types below it, in one walk: three calls, and one for each further page. */
export async function collectBelow(
  vim: Vim,
  root: Ref,
  properties: PropertySet,
  steps: readonly Step[],
  context: CallContext,
): Promise<Seen[]> {
  return vim.inOneSession(context, () => walkBelow(vim, root, properties, steps, context));
}

async function walkBelow(
  vim: Vim,
  root: Ref,
  properties: PropertySet,
  steps: readonly Step[],
  context: CallContext,
): Promise<Seen[]> {
  const { viewManager } = await vim.content(context);
  if (!viewManager) throw new MaintenanceError('PlatformGarbled', 'vCenter names no view manager');
  const view = await vim.invoke(
    {
      on: viewManager,
      method: 'CreateContainerView',
      args: { container: toWire(root), type: Object.keys(properties).filter(isInView), recursive: true },
      schema: ref,
    },
    context,
  );
  try {
    const inView: Step = { type: 'ContainerView', path: 'view', then: steps };
    // A view leaves its container out.
    const starts = [
      { from: view, skip: true, steps: [inView] },
      { from: root, steps: [] },
    ];
    return await walk(vim, starts, properties, context);
  } finally {
    // It is gone with the session at the latest.
    await vim
      .invoke(
        { on: view, method: 'DestroyView', schema: z.unknown() },
        { signal: AbortSignal.timeout(10_000) },
      )
      .catch(() => undefined);
  }
}

/** Tasks are in no folder: they are reached from what they work on. */
const isInView = (type: string): boolean => type !== 'Task';

/**
 * Objects that are reached from others. Throws NotFound when one of `from` is gone; what goes while the walk is under way
 * is left out.
 */
export async function collect(
  vim: Vim,
  starts: readonly Start[],
  properties: PropertySet,
  context: CallContext,
): Promise<Seen[]> {
  return vim.inOneSession(context, () => walk(vim, starts, properties, context));
}

async function walk(
  vim: Vim,
  starts: readonly Start[],
  properties: PropertySet,
  context: CallContext,
): Promise<Seen[]> {
  const { propertyCollector } = await vim.content(context);
  const spec = {
    _typeName: 'PropertyFilterSpec',
    propSet: Object.entries(properties).map(([type, pathSet]) => ({
      _typeName: 'PropertySpec',
      type,
      all: false,
      pathSet,
    })),
    objectSet: starts.map(({ from, skip = false, steps }) => ({
      _typeName: 'ObjectSpec',
      obj: toWire(from),
      skip,
      selectSet: steps.map(traversal),
    })),
  };
  const options = { _typeName: 'RetrieveOptions', maxObjects: PAGE };
  const read = (method: string, args: Readonly<Record<string, unknown>>, isRead: boolean): Promise<Page> =>
    vim.invoke({ on: propertyCollector, method, args, schema: page, isRead }, context);
  const seen = new Map<string, Seen>();
  let next: Page = await read('RetrievePropertiesEx', { specSet: [spec], options }, true);
  for (;;) {
    for (const one of next?.objects ?? []) seen.set(one.obj.value, toSeen(one));
    const token = next?.token;
    if (token === undefined) return [...seen.values()];
    // A page that was given out is not given again.
    next = await read('ContinueRetrievePropertiesEx', { token }, false);
  }
}

/** Where nothing is found there is no answer. */
const page = retrieveResult.optional();
type Page = z.output<typeof page>;

function traversal({ type, path, then = [] }: Step): unknown {
  return { _typeName: 'TraversalSpec', type, path, skip: false, selectSet: then.map(traversal) };
}

const toSeen = ({ obj, propSet }: NonNullable<Page>['objects'][number]): Seen => ({
  ref: obj,
  props: Object.fromEntries(propSet.map(({ name, val }) => [name, unwrap(val)])),
});
