/** The custom attribute that holds our marks: people see it beside the host or the VM in the vSphere Client. */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { CallContext } from '../driver.ts';
import { ATTRIBUTE } from './inventory.ts';
import type { Vim } from './vim.ts';
import { customFieldDef, toWire, type Ref } from './wire.ts';

export class Marks {
  readonly #vim: Vim;
  readonly #making = new SingleFlight<number>();
  #key: number | undefined;

  constructor(vim: Vim) {
    this.#vim = vim;
  }

  /** Key of the attribute; undefined as long as nobody has made it. */
  async key(context: CallContext): Promise<number | undefined> {
    if (this.#key !== undefined) return this.#key;
    const fields = await this.#vim.property(
      await this.#manager(context),
      'field',
      z.array(customFieldDef).optional(),
      context,
    );
    this.#key = fields?.find(
      ({ name, managedObjectType }) => name === ATTRIBUTE && managedObjectType === undefined,
    )?.key;
    return this.#key;
  }

  async set(entity: Ref, value: string, context: CallContext): Promise<void> {
    const key = (await this.key(context)) ?? (await this.#make(context));
    await this.#write(entity, key, value, context);
  }

  /** An attribute has no way of being absent again: it is left empty. */
  async clear(entity: Ref, context: CallContext): Promise<void> {
    const key = await this.key(context);
    if (key !== undefined) await this.#write(entity, key, '', context);
  }

  async #write(entity: Ref, key: number, value: string, context: CallContext): Promise<void> {
    const on = await this.#manager(context);
    const args = { entity: toWire(entity), key, value };
    await this.#vim.invoke({ on, method: 'SetField', args, schema: z.unknown() }, context);
  }

  #make({ signal }: CallContext): Promise<number> {
    return this.#making.join(signal, async (shared) => {
      const context = { signal: shared };
      const on = await this.#manager(context);
      try {
        const args = { name: ATTRIBUTE };
        const made = await this.#vim.invoke(
          { on, method: 'AddCustomFieldDef', args, schema: customFieldDef },
          context,
        );
        this.#key = made.key;
      } catch (error) {
        // Another worker was quicker.
        if ((await this.key(context)) === undefined) throw error;
      }
      if (this.#key === undefined) throw new MaintenanceError('PlatformGarbled', 'no attribute was made');
      return this.#key;
    });
  }

  async #manager(context: CallContext): Promise<Ref> {
    const { customFieldsManager } = await this.#vim.content(context);
    if (!customFieldsManager)
      throw new MaintenanceError('Unsupported', 'this vCenter keeps no custom attributes');
    return customFieldsManager;
  }
}
