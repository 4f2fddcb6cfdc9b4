/** Sees every change of the locks of nodes, beside the controllers and their client. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../support/engine.ts';
import { BED, KUBECONFIG } from './bed.ts';

/** What the tests call the controller; where they need several, the names of the others begin so. */
export const CONTROLLER = 'lc';

/** Beds are slow, and slower on a machine that does other things too. */
export const PATIENCE_MS = 120_000;
export const POLL_MS = 100;

/** A lock as kubectl shows it. */
export interface SeenLock {
  metadata: { name: string; uid: string; annotations?: Record<string, string> };
  spec: { controllerName: string; nodeName?: string };
  status?: {
    state: string;
    errorMessage?: string;
    release?: string;
    inactivationProgress?: { percentage: number; description: string };
  };
}

export const isActive = ({ status }: SeenLock): boolean =>
  status?.state === 'active' &&
  status.errorMessage === undefined &&
  status.inactivationProgress === undefined;
export const isInactive = ({ status }: SeenLock): boolean => status?.state === 'inactive';
export const isGoing = ({ status }: SeenLock): boolean =>
  status?.state === 'active' && (status.inactivationProgress?.percentage ?? 0) > 0;
export const says =
  (words: RegExp) =>
  ({ status }: SeenLock): boolean =>
    words.test(status?.errorMessage ?? '');

const RETURNING = new Set<string>(['host.exiting', 'host.exited']);

/** Asks the journal of the site at once whether a lock that has become inactive, or active again, tells the truth. */
export class LockWitness {
  /** States of each lock in the order they were seen. */
  readonly seen = new Map<string, string[]>();
  readonly #engine: Engine;
  readonly #locks = new Map<string, SeenLock>();
  readonly #changes = new EventEmitter();
  #wrong: string[] = [];
  #child: ChildProcess | undefined;
  #ended = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#changes.setMaxListeners(0);
    void this.#watch();
  }

  /** Resolves to the lock of this name when it is as wished; throws with the last one when it never is. */
  async until(name: string, wish: (lock: SeenLock) => boolean): Promise<SeenLock> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const lock = this.#locks.get(name);
      if (lock && wish(lock)) return lock;
      await once(this.#changes, name, { signal }).catch(() => {
        assert.fail(`it never came to that: ${JSON.stringify(this.#locks.get(name))}`);
      });
    }
  }

  /** What was wrong since the last call, each a sentence. */
  takeWrong(): string[] {
    const wrong = this.#wrong;
    this.#wrong = [];
    return wrong;
  }

  close(): void {
    this.#ended = true;
    this.#child?.kill();
  }

  /** A watch of kubectl ends with the API server; it is begun again. */
  async #watch(): Promise<void> {
    const args = ['get', 'nodeworkloadlocks', '--watch', '--output-watch-events', '-o', 'json'];
    while (!this.#ended) {
      const child = spawn(path.join(BED, 'bin/kubectl'), ['--kubeconfig', KUBECONFIG, ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      this.#child = child;
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#take(JSON.parse(line) as { type: string; object: SeenLock });
      });
      await once(child, 'close');
      await sleep(POLL_MS);
    }
  }

  #take({ type, object }: { type: string; object: SeenLock }): void {
    const { metadata, spec, status } = object;
    if (!spec.controllerName.startsWith(CONTROLLER)) return;
    const states = type === 'DELETED' ? [] : (this.seen.get(metadata.name) ?? []);
    const before = states.at(-1);
    if (type !== 'DELETED' && status && status.state !== before) {
      states.push(status.state);
      // What is listed anew may have been so for long.
      if (type === 'MODIFIED') this.#judge(object, before);
    }
    this.seen.set(metadata.name, states);
    if (type === 'DELETED') this.#locks.delete(metadata.name);
    else this.#locks.set(metadata.name, object);
    this.#changes.emit(metadata.name);
  }

  #judge(
    { metadata: { name }, spec: { nodeName = '' }, status }: SeenLock,
    before: string | undefined,
  ): void {
    const host = nodeName.split('.', 1)[0] ?? '';
    const last = this.#engine.simulator.journal.entries
      .filter((entry) => entry.type.startsWith('host.') && 'host' in entry && entry.host === host)
      .at(-1)?.type;
    // One that was made again keeps others off a host that is still on its way back.
    const isOut =
      last === 'host.entered' || (before === undefined && last !== undefined && RETURNING.has(last));
    if (status?.state === 'inactive' && !isOut) {
      this.#wrong.push(`${name} is inactive, and the last of ${host} is ${last}`);
    }
    // With a message it only says that nobody is to touch the node any more.
    const isBack = status?.state === 'active' && status.errorMessage === undefined && before === 'inactive';
    if (isBack && last !== 'host.uncordoned') {
      this.#wrong.push(`${name} is active again, and the last of ${host} is ${last}`);
    }
  }
}
