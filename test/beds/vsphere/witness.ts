/** The world as `govc` tells it: the client of vSphere's own library, over SOAP. It shares nothing with the driver. */
import { z } from 'zod';
import type { Address } from './bed.ts';
import { govc } from './govc.ts';

export interface WitnessedHost {
  id: string;
  name: string;
  /** Id of its cluster. */
  cluster: string;
  inMaintenance: boolean;
  connectionState: string;
  powerState: string;
  /** Ids. */
  vms: string[];
  /** Custom attributes, by name. */
  attributes: Record<string, string>;
}

export interface WitnessedVm {
  id: string;
  name: string;
  /** Name of its host. */
  host: string;
  powerState: string;
  attributes: Record<string, string>;
}

export interface WitnessedTask {
  id: string;
  descriptionId: string;
  /** Id of the host or virtual machine. */
  entity: string;
  progress: number;
}

const reference = z.object({ value: z.string() });
const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ _value: z.array(item).nullable() }).transform(({ _value }) => _value ?? []);
const customValues = listOf(z.object({ key: z.number(), value: z.string() }));

const host = z.object({
  name: z.string(),
  parent: reference,
  'runtime.inMaintenanceMode': z.boolean(),
  'runtime.connectionState': z.string(),
  'runtime.powerState': z.string(),
  vm: listOf(reference),
  customValue: customValues,
});

const vm = z.object({
  name: z.string(),
  'runtime.host': reference,
  'runtime.powerState': z.string(),
  customValue: customValues,
});

const fields = z.object({ field: listOf(z.object({ key: z.number(), name: z.string() })) });

const task = z.object({
  info: z.object({
    key: z.string(),
    descriptionId: z.string(),
    entity: reference,
    state: z.string(),
    progress: z.number().default(0),
  }),
});

/** What `govc collect` tells of one object: its id too, if there may be more. */
const changes = z.array(z.object({ name: z.string(), val: z.unknown() }));
const collected = z.union([
  z.object({ obj: reference, changeSet: changes }),
  changes.transform((changeSet) => ({ obj: { value: '' }, changeSet })),
]);

/** Asks for every task that the vCenter remembers; `govc` has no command for that whose answer is JSON. */
const TASKS = `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<Body><CreateFilter xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><spec>
<propSet><type>Task</type><pathSet>info</pathSet></propSet>
<objectSet><obj type="TaskManager">TaskManager</obj><skip>true</skip><selectSet xsi:type="TraversalSpec">
<type>TaskManager</type><path>recentTask</path></selectSet></objectSet>
</spec><partialUpdates>false</partialUpdates></CreateFilter></Body></Envelope>`;

export class Witness {
  readonly #address: Address;

  constructor(address: Address) {
    this.#address = address;
  }

  async hosts(): Promise<WitnessedHost[]> {
    const [names, seen] = await Promise.all([this.#fields(), this.#collect('HostSystem', host)]);
    return seen.map(([id, properties]) => ({
      id,
      name: properties.name,
      cluster: properties.parent.value,
      inMaintenance: properties['runtime.inMaintenanceMode'],
      connectionState: properties['runtime.connectionState'],
      powerState: properties['runtime.powerState'],
      vms: properties.vm.map(({ value }) => value),
      attributes: named(properties.customValue, names),
    }));
  }

  async vms(): Promise<WitnessedVm[]> {
    const [names, hosts, seen] = await Promise.all([
      this.#fields(),
      this.#collect('HostSystem', z.object({ name: z.string() })),
      this.#collect('VirtualMachine', vm),
    ]);
    const hostNames = new Map(hosts.map(([id, { name }]) => [id, name]));
    return seen.map(([id, properties]) => ({
      id,
      name: properties.name,
      host: hostNames.get(properties['runtime.host'].value) ?? '',
      powerState: properties['runtime.powerState'],
      attributes: named(properties.customValue, names),
    }));
  }

  async runningTasks(): Promise<WitnessedTask[]> {
    const seen = propertiesOf(await this.#run(['-R', '-'], TASKS), task);
    return seen
      .map(([, { info }]) => info)
      .filter(({ state }) => state === 'queued' || state === 'running')
      .map(({ key, descriptionId, entity, progress }) => ({
        id: key,
        descriptionId,
        entity: entity.value,
        progress,
      }));
  }

  async #collect<T extends z.ZodObject>(type: string, properties: T): Promise<[string, z.output<T>][]> {
    return propertiesOf(await this.#run(['-type', type, '/', ...Object.keys(properties.shape)]), properties);
  }

  /** Names of custom attributes, by key. */
  async #fields(): Promise<Map<number, string>> {
    const [seen] = propertiesOf(
      await this.#run(['CustomFieldsManager:CustomFieldsManager', 'field']),
      fields,
    );
    return new Map(seen?.[1].field.map(({ key, name }) => [key, name]));
  }

  /** Runs `govc collect`, which answers with one JSON text for each object, one after another. */
  #run(args: readonly string[], input?: string): Promise<string> {
    return govc(this.#address, ['collect', '-json', ...args], input);
  }
}

function propertiesOf<T extends z.ZodType>(output: string, properties: T): [string, z.output<T>][] {
  // Only what stands outermost is not indented.
  const texts = output.split(/^(?=[{[])/m);
  return texts.map((text) => {
    const { obj, changeSet } = collected.parse(JSON.parse(text));
    return [obj.value, properties.parse(Object.fromEntries(changeSet.map(({ name, val }) => [name, val])))];
  });
}

function named(
  values: z.output<typeof customValues>,
  names: ReadonlyMap<number, string>,
): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value }) => [names.get(key) ?? key, value]));
}
