/**
 * Our marks, as labels: `haulout` is the key, the mark is the value, and the label stands on the host and on the VMs that
 * were stopped for it. CloudTower keeps nothing off a host but in maintenance.
 */
import { MaintenanceError } from '../../core/errors.ts';
import { parseMark } from '../../core/mark.ts';
import type { CallContext } from '../driver.ts';
import { isGone, unlessGone } from '../gone.ts';
import type { Api } from './api.ts';
import { LABEL_KEY } from './inventory.ts';
import type { Tasks } from './tasks.ts';
import { createdLabel, labelUse, startedTasks, type Label, type LabelUse } from './wire.ts';

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
    const labels = await this.#api.list('labels', { key: LABEL_KEY }, labelUse, context);
    for (const one of labels) if (isLeftOver(one) && one.value !== value) await this.#delete(one, context);
    const known = labels.find((one) => one.value === value);
    const id = known?.id ?? (await this.#create(value, context));
    try {
      await this.#change('add-labels-to-resources', id, on, context);
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new MaintenanceError('PlatformBusy', `the label ${value} was deleted again`, { cause: error });
    }
  }

  /** Takes a label off; one that stands on nothing any more is deleted. */
  async take({ id }: Pick<Label, 'id'>, off: Bearers, context: CallContext): Promise<void> {
    await unlessGone(this.#change('remove-labels-from-resources', id, off, context));
    const uses = await this.#api.list('labels', { id }, labelUse, context);
    for (const one of uses) if (one.total_num === 0) await this.#delete(one, context);
  }

  async #delete({ id }: LabelUse, context: CallContext): Promise<void> {
    await unlessGone(this.#api.change('delete-label', { where: { id } }, startedTasks, context));
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

/** A mark that was taken off, by somebody who could not delete it any more. */
const isLeftOver = ({ value, total_num }: LabelUse): boolean =>
  total_num === 0 && parseMark(value) !== undefined;
