/**
 * Our marks, as labels: `haulout` is the key, the mark is the value, and the label stands on the host and on the VMs that
 * were stopped for it. CloudTower keeps nothing off a host but in maintenance.
 */
import { unlessGone } from '../gone.ts';
import type { CallContext } from '../driver.ts';
import type { Api } from './api.ts';
import { LABEL_KEY } from './inventory.ts';
import type { Tasks } from './tasks.ts';
import { createdLabel, label, labelUse, startedTasks, type Label } from './wire.ts';

/** What a label stands on, by ids. */
type Bearers = { hosts: { id: string } } | { vms: { id_in: readonly string[] } };

export class Labels {
  readonly #api: Api;
  readonly #tasks: Tasks;

  constructor(api: Api, tasks: Tasks) {
    this.#api = api;
    this.#tasks = tasks;
  }

  async put(value: string, on: Bearers, context: CallContext): Promise<void> {
    const id = (await this.#find(value, context)) ?? (await this.#create(value, context));
    await this.#change('add-labels-to-resources', id, on, context);
  }

  /** Takes a label off; one that stands on nothing any more is deleted. */
  async take({ id }: Pick<Label, 'id'>, off: Bearers, context: CallContext): Promise<void> {
    await unlessGone(this.#change('remove-labels-from-resources', id, off, context));
    const uses = await this.#api.list('labels', { id }, labelUse, context);
    if (uses.some(({ total_num }) => total_num === 0)) {
      await unlessGone(this.#api.change('delete-label', { where: { id } }, startedTasks, context));
    }
  }

  async #find(value: string, context: CallContext): Promise<string | undefined> {
    const [found] = await this.#api.list('labels', { key: LABEL_KEY, value }, label, context);
    return found?.id;
  }

  async #create(value: string, context: CallContext): Promise<string> {
    const body = [{ key: LABEL_KEY, value }];
    const { task_id, data } = await this.#api.change('create-label', body, createdLabel, context);
    if (task_id !== undefined) await this.#tasks.finish(task_id, `the label ${value} was not made`, context);
    return data.id;
  }

  async #change(call: string, id: string, data: Bearers, context: CallContext): Promise<void> {
    const started = await this.#api.change(call, { where: { id }, data }, startedTasks, context);
    for (const { task_id } of started) {
      if (task_id !== undefined) await this.#tasks.finish(task_id, `${call} was not done`, context);
    }
  }
}
