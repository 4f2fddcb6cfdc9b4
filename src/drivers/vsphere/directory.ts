/** Where things are in vCenter's inventory, by the names people use: what rarely changes, and is kept for a while. */
import { MaintenanceError } from '../../core/errors.ts';
import { listed } from '../../core/listed.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { CallContext } from '../driver.ts';
import { collectBelow, type PropertySet } from './collector.ts';
import { namesOf, pathOf } from './inventory.ts';
import type { Vim } from './vim.ts';
import { namedProps, type NamedProps, type Ref } from './wire.ts';
import { checked } from './world.ts';

const FRESH_MS = 5 * 60_000;

const NAMED_SHOWN = 5;

const NAMES: PropertySet = {
  Folder: ['name', 'parent'],
  Datacenter: ['name', 'parent'],
  ComputeResource: ['name', 'parent'],
  HostSystem: ['name', 'parent'],
  Datastore: ['name', 'parent'],
};

interface Named extends NamedProps {
  ref: Ref;
}

/** What names are made of, by id. */
export interface Frame {
  hosts: ReadonlyMap<string, Named>;
  clusters: ReadonlyMap<string, Named>;
  others: ReadonlyMap<string, Named>;
}

export interface Site {
  /** Below it is everything of this site. */
  root: Ref;
  frame: Frame;
  /** The hosts of this site, by id. */
  hosts: ReadonlyMap<string, Named>;
  /** By id: what is called the same is told apart by its path. */
  names: ReadonlyMap<string, string>;
}

/** Limits of a site, by name, path or id. */
export interface Limits {
  datacenter?: string | undefined;
  cluster?: string | undefined;
}

export class Directory {
  readonly #vim: Vim;
  readonly #limits: Limits;
  readonly #reading = new SingleFlight<Site>();
  #known: { site: Site; until: number } | undefined;

  constructor(vim: Vim, limits: Limits) {
    this.#vim = vim;
    this.#limits = limits;
  }

  async site({ signal }: CallContext): Promise<Site> {
    if (this.#known && Date.now() < this.#known.until) return this.#known.site;
    return this.#reading.join(signal, (shared) => this.#read({ signal: shared }));
  }

  /** What was read lately is not good any more. */
  forget(): void {
    this.#known = undefined;
  }

  /** The host of this name, path or id. Throws UnknownHost. */
  async host(name: string, context: CallContext): Promise<Ref> {
    const found = findHost(name, await this.site(context));
    if (found) return found;
    this.forget();
    const site = await this.site(context);
    const again = findHost(name, site);
    if (again) return again;
    const namesakes = [...site.hosts].filter(([, host]) => host.name === name);
    const paths = namesakes.map(([id]) => pathIn(id, site.frame));
    throw new MaintenanceError(
      'UnknownHost',
      paths.length > 0
        ? `vCenter has several hosts ${name} on this site by now: ${listed(paths, NAMED_SHOWN)}; each goes by its path`
        : `vCenter has no host ${name} on this site`,
    );
  }

  async #read(context: CallContext): Promise<Site> {
    const { rootFolder } = await this.#vim.content(context);
    const frame = await this.#walk(rootFolder, context);
    const { datacenter, cluster } = this.#limits;
    const datacenters = new Map([...frame.others].filter(([, { ref }]) => ref.type === 'Datacenter'));
    const within =
      datacenter === undefined ? undefined : findLimit('datacenter', datacenter, datacenters, frame);
    const clusters = within
      ? new Map(
          [...frame.clusters].filter(([id]) =>
            pathIn(id, frame).startsWith(`${pathIn(within.value, frame)}/`),
          ),
        )
      : frame.clusters;
    const root =
      (cluster === undefined ? within : findLimit('cluster', cluster, clusters, frame)) ?? rootFolder;
    const below = root === rootFolder ? '/' : `${pathIn(root.value, frame)}/`;
    const hosts = new Map([...frame.hosts].filter(([id]) => pathIn(id, frame).startsWith(below)));
    const site = { root, frame, hosts, names: namesOf({ ...frame, hosts }) };
    this.#known = { site, until: Date.now() + FRESH_MS };
    return site;
  }

  async #walk(root: Ref, context: CallContext): Promise<Frame> {
    const hosts = new Map<string, Named>();
    const clusters = new Map<string, Named>();
    const others = new Map<string, Named>();
    for (const one of await collectBelow(this.#vim, root, NAMES, [], context)) {
      const { ref } = one;
      const kind =
        ref.type === 'HostSystem' ? hosts : ref.type.endsWith('ComputeResource') ? clusters : others;
      kind.set(ref.value, { ref, ...checked(one, namedProps) });
    }
    return { hosts, clusters, others };
  }
}

const pathIn = (id: string, frame: Frame): string => pathOf(id, frame);

function findHost(name: string, { hosts, names, frame }: Site): Ref | undefined {
  for (const [id, { ref }] of hosts) {
    if (names.get(id) === name || id === name || pathIn(id, frame) === name) return ref;
  }
  return undefined;
}

/** Throws Unsupported when there is none, or more than one. */
function findLimit(field: string, wanted: string, among: ReadonlyMap<string, Named>, frame: Frame): Ref {
  const paths = [...among].map(([id, { ref, name }]) => ({ id, ref, name, path: pathIn(id, frame) }));
  const found = paths.filter(({ id, name, path }) => [name, path, id].includes(wanted));
  const [first, ...more] = found;
  if (first && more.length === 0) return first.ref;
  const candidates = listed(
    (first ? found : paths).map(({ path }) => path),
    NAMED_SHOWN,
  );
  throw new MaintenanceError(
    'Unsupported',
    `${field} "${wanted}" of the site: vCenter has ${first ? 'several' : 'none'} of this name; there is ${candidates}`,
  );
}
