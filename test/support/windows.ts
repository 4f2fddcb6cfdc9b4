/** Makes the simulator a platform that wants to be told of sessions. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MaintenanceError } from '../../src/core/errors.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { simulator } from '../../src/drivers/simulator/driver.ts';

/** The platform answers so late when nothing has changed. */
const LOOK_MS = 200;

const create = simulator.create.bind(simulator);

/** As a platform keeps it: who has it open, and who keeps those waiting that come to it. */
export class Windows {
  readonly open = new Set<string>();
  /** In order: `open a`, `close a`. */
  readonly log: string[] = [];
  waitsFor: string | undefined;
  /** Somebody takes back, once, what the next session to come has asked for. */
  isTakenBack = false;
  refusal: MaintenanceError | undefined;

  /** Simulators of this process are such a platform from now on. */
  install(): void {
    simulator.create = (...args) => this.#over(create(...args));
  }

  remove(): void {
    simulator.create = create;
  }

  #over(driver: Driver): Driver {
    return Object.assign(driver, {
      openWindow: async ({ session }) => {
        if (!this.open.has(session)) this.log.push(`open ${session}`);
        this.open.add(session);
        return { id: session, kind: 'open', subject: session };
      },
      closeWindow: async ({ session }) => {
        if (this.refusal) throw this.refusal;
        this.open.delete(session);
        this.log.push(`close ${session}`);
        return undefined;
      },
      openWindows: async () => [...this.open].map((session) => ({ session })),
      pollTask: this.#pollingOpen(driver),
    } satisfies Partial<Driver>);
  }

  #pollingOpen(driver: Driver): Driver['pollTask'] {
    const poll = driver.pollTask.bind(driver);
    return async (task, context) => {
      if (task.kind !== 'open') return poll(task, context);
      if (this.isTakenBack) {
        this.isTakenBack = false;
        this.open.delete(task.subject);
        return { state: 'vanished' };
      }
      if (this.waitsFor === undefined) return { state: 'done' };
      await sleep(LOOK_MS);
      return { state: 'running', detail: this.waitsFor, waited: true };
    };
  }
}
