/** The constraints that one workflow keeps. Pure bookkeeping. */
import {
  refOfConstraint,
  type ConstraintMessage,
  type ConstraintRef,
  type ConstraintsState,
  type GroupConstraint,
  type InstanceConstraint,
} from './constraints.ts';

/** Temporal takes payloads of two megabytes, and all of it is one: in the answer of a query, and to the next run. */
const MOST_BYTES = 1_500_000;

export class ConstraintBook {
  readonly #instances: Map<string, InstanceConstraint>;
  readonly #groups: Map<string, GroupConstraint>;
  #bytes: number;

  constructor({ instances, groups }: ConstraintsState) {
    this.#instances = new Map(instances.map((one) => [one.instance, one]));
    this.#groups = new Map(groups.map((one) => [one.group, one]));
    this.#bytes = [...instances, ...groups].reduce((sum, one) => sum + bytesOf(one), 0);
  }

  get counts(): { instances: number; groups: number } {
    return { instances: this.#instances.size, groups: this.#groups.size };
  }

  get(ref: ConstraintRef): InstanceConstraint | GroupConstraint | undefined {
    return ref.kind === 'instance' ? this.#instances.get(ref.id) : this.#groups.get(ref.id);
  }

  /** Why there is no room for it; undefined when there is. */
  whyNot(message: ConstraintMessage): string | undefined {
    if (this.#bytes + bytesOf(message.value) - bytesOf(this.get(refOfConstraint(message))) <= MOST_BYTES)
      return undefined;
    const { instances, groups } = this.counts;
    return (
      `value: there is no room for more beside the constraints of ${instances} instances and ${groups} groups in this ` +
      'part of the site; delete those of what is gone'
    );
  }

  /** Returns whether that changed anything. */
  put(message: ConstraintMessage): boolean {
    const before = this.get(refOfConstraint(message));
    if (JSON.stringify(before) === JSON.stringify(message.value)) return false;
    if (message.kind === 'instance') this.#instances.set(message.value.instance, message.value);
    else this.#groups.set(message.value.group, message.value);
    this.#bytes += bytesOf(message.value) - bytesOf(before);
    return true;
  }

  /** Returns whether it was there. */
  delete(ref: ConstraintRef): boolean {
    this.#bytes -= bytesOf(this.get(ref));
    return ref.kind === 'instance' ? this.#instances.delete(ref.id) : this.#groups.delete(ref.id);
  }

  toState(): ConstraintsState {
    return { instances: [...this.#instances.values()], groups: [...this.#groups.values()] };
  }
}

const bytesOf = (value: object | undefined): number =>
  value === undefined ? 0 : new TextEncoder().encode(JSON.stringify(value)).length;
