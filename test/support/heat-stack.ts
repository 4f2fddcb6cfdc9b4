/** The instances of a project as a stack of Heat that is scaled in and out, in the simulator. */
import assert from 'node:assert/strict';
import type { Host, Instance } from '../../src/core/inventory.ts';

export class HeatStack {
  readonly #simulator: string;
  readonly #project: string;
  #made = 0;

  /** @param simulator its address */
  constructor(simulator: string, project: string) {
    this.#simulator = simulator;
    this.#project = project;
  }

  async servers(): Promise<Instance[]> {
    const { instances } = await this.#get<{ instances: Instance[] }>('/v1/instances?limit=1000');
    return instances.filter(({ project }) => project === this.#project);
  }

  /** One instance less, of the fullest host: so no host gets empty by that alone. */
  async scaleIn(): Promise<void> {
    const servers = await this.servers();
    const beside = ({ host }: Instance): number => servers.filter((other) => other.host === host).length;
    const [fullest] = servers.sort((a, b) => beside(b) - beside(a));
    assert.ok(fullest, 'there is nothing left to scale in');
    const answer = await fetch(`${this.#simulator}/v1/instances/${fullest.id}`, { method: 'DELETE' });
    assert.equal(answer.status, 204, await answer.text());
  }

  /** One instance more, on the first host that takes it. */
  async scaleOut(): Promise<void> {
    this.#made += 1;
    const [like] = await this.servers();
    const { hosts } = await this.#get<{ hosts: Host[] }>('/v1/hosts?limit=1000');
    for (const { name: host } of hosts) {
      const body = {
        name: `${this.#project}-scaled-out-${this.#made}`,
        host,
        project: this.#project,
        resources: like?.resources,
      };
      const answer = await fetch(`${this.#simulator}/v1/instances`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (answer.status === 201) return;
    }
    assert.fail('no host has room for one more instance');
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.#simulator}${path}`);
    return (await answer.json()) as T;
  }
}
