/** The custom attribute that holds our marks: people see it beside the host or the VM in the vSphere Client. */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { CallContext } from '../driver.ts';
import { ATTRIBUTE } from './attribute.ts';
import { isFault } from './fault.ts';
import type { Vim } from './vim.ts';
import { customFieldDef, toWire, type CustomFieldDef, type Ref } from './wire.ts';

/** Somebody may delete the attribute and make it anew, with another key. */
const FRESH_MS = 60_000;

export class Marks {
  readonly #vim: Vim;
  readonly #making = new SingleFlight<number>();
  #known: { key: number; until: number } | undefined;

  constructor(vim: Vim) {
    this.#vim = vim;
  }

  /** Key of the attribute; undefined as long as nobody has made it. */
  async key(context: CallContext): Promise<number | undefined> {
    if (this.#known && Date.now() < this.#known.until) return this.#known.key;
    const found = (await this.#named(context)).find(isForAll);
    return found && this.#keep(found.key);
  }

  /** What was read lately is not good any more. */
  forget(): void {
    this.#known = undefined;
  }

  async set(entity: Ref, value: string, context: CallContext): Promise<void> {
    const keyOf = async (): Promise<number> => (await this.key(context)) ?? (await this.#make(context));
    await this.#write(entity, keyOf, value, context);
  }

  /** An attribute has no way of being absent again: it is left empty. */
  async clear(entity: Ref, context: CallContext): Promise<void> {
    await this.#write(entity, () => this.key(context), '', context);
  }

  async #write(
    entity: Ref,
    keyOf: () => Promise<number | undefined>,
    value: string,
    context: CallContext,
  ): Promise<void> {
    try {
      await this.#setField(entity, await keyOf(), value, context);
    } catch (error) {
      if (!isFault(error, 'InvalidArgument')) throw error;
      this.forget();
      await this.#setField(entity, await keyOf(), value, context);
    }
  }

  /** Where there is no attribute, nothing is to be cleared. */
  async #setField(entity: Ref, key: number | undefined, value: string, context: CallContext): Promise<void> {
    if (key === undefined) return;
    const on = await this.#manager(context);
    const args = { entity: toWire(entity), key, value };
    await this.#vim.invoke({ on, method: 'SetField', args, schema: z.unknown() }, context);
  }

  #make({ signal }: CallContext): Promise<number> {
    return this.#making.join(signal, async (shared) => {
      const context = { signal: shared };
      await this.#refuseOther(context);
      const on = await this.#manager(context);
      try {
        const args = { name: ATTRIBUTE };
        const made = await this.#vim.invoke(
          { on, method: 'AddCustomFieldDef', args, schema: customFieldDef },
          context,
        );
        return this.#keep(made.key);
      } catch (error) {
        // Another worker was quicker.
        const key = await this.key(context);
        if (key === undefined) throw error;
        return key;
      }
    });
  }

  /** Throws Unsupported when the name is taken by an attribute that not everything can have. */
  async #refuseOther(context: CallContext): Promise<void> {
    const named = await this.#named(context);
    const [first] = named;
    if (!first || named.some(isForAll)) return;
    throw new MaintenanceError(
      'Unsupported',
      `vCenter's custom attribute ${ATTRIBUTE} is for ${first.managedObjectType} only, and marks stand on hosts and VMs: rename or delete it`,
    );
  }

  #keep(key: number): number {
    this.#known = { key, until: Date.now() + FRESH_MS };
    return key;
  }

  /** The attributes of our name. */
  async #named(context: CallContext): Promise<CustomFieldDef[]> {
    const schema = z.array(customFieldDef).optional();
    const fields = await this.#vim.property(await this.#manager(context), 'field', schema, context);
    return fields?.filter(({ name }) => name === ATTRIBUTE) ?? [];
  }

  async #manager(context: CallContext): Promise<Ref> {
    const { customFieldsManager } = await this.#vim.content(context);
    if (!customFieldsManager)
      throw new MaintenanceError('Unsupported', 'this vCenter keeps no custom attributes');
    return customFieldsManager;
  }
}

const isForAll = ({ managedObjectType }: CustomFieldDef): boolean => managedObjectType === undefined;
