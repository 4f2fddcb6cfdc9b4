/** The objects of one kind as they are now, kept in memory. */
import type { CallContext, KubernetesClient, Selection } from './client.ts';
import { follow, type Change } from './follow.ts';
import type { KubernetesObject, Resource } from './resource.ts';

export interface MirrorOptions<T extends KubernetesObject, Kept> {
  resource: Resource<T>;
  selection?: Selection;
  /** What is kept of an object; undefined: nothing. */
  keep: (object: T) => Kept | undefined;
  /** Told of each object that has come, changed or gone: as it was, and as it is now. */
  changed: (object: Kept) => void;
  /** Told of each failure to list or to watch; it goes on by itself. */
  failed: (error: unknown) => void;
}

export class Mirror<T extends KubernetesObject, Kept> {
  readonly #options: MirrorOptions<T, Kept>;
  readonly #kept = new Map<string, Kept>();
  readonly #isListed: Promise<void>;
  #noteListed: () => void = () => undefined;

  constructor(options: MirrorOptions<T, Kept>) {
    this.#options = options;
    this.#isListed = new Promise((resolve) => {
      this.#noteListed = resolve;
    });
  }

  /** Resolves when all objects are there for the first time. */
  listed(): Promise<void> {
    return this.#isListed;
  }

  get(name: string): Kept | undefined {
    return this.#kept.get(name);
  }

  all(): Iterable<Kept> {
    return this.#kept.values();
  }

  /** Follows the objects until the signal ends it. */
  async run(client: KubernetesClient, context: CallContext): Promise<void> {
    const { resource, selection = {}, failed } = this.#options;
    for await (const change of follow(client, resource, selection, context, failed)) {
      this.#take(change);
      if (change.type === 'listed') this.#noteListed();
    }
  }

  #take(change: Change<T>): void {
    switch (change.type) {
      case 'put':
        this.#put(change.item);
        break;
      case 'deleted':
        this.#drop(change.item.metadata.name);
        break;
      case 'listed': {
        const names = new Set(change.items.map(({ metadata }) => metadata.name));
        for (const name of [...this.#kept.keys()]) if (!names.has(name)) this.#drop(name);
        for (const item of change.items) this.#put(item);
      }
    }
  }

  #put(object: T): void {
    const { name } = object.metadata;
    const before = this.#kept.get(name);
    const now = this.#options.keep(object);
    if (now === undefined) this.#kept.delete(name);
    else this.#kept.set(name, now);
    this.#tell(before, now);
  }

  #drop(name: string): void {
    const before = this.#kept.get(name);
    this.#kept.delete(name);
    this.#tell(before, undefined);
  }

  #tell(before: Kept | undefined, now: Kept | undefined): void {
    if (before !== undefined) this.#options.changed(before);
    if (now !== undefined) this.#options.changed(now);
  }
}
