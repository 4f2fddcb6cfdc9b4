/** Lock controllers that die, that there are two of, and that cannot reach what they ask. */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { ManagedProcess } from '../../../src/devstack/processes.ts';
import { kubectl, service } from './bed.ts';
import { Relay } from '../../support/relay.ts';
import { LockStage, temporalAddress } from './lock-controller-stage.ts';
import { isActive, isGoing, isInactive, says, type SeenLock } from './lock-witness.ts';

let stage: LockStage;
before(async () => {
  stage = await LockStage.build();
});
after(async () => {
  const wrong = stage.witness.takeWrong();
  await stage.stop();
  assert.deepEqual(wrong, [], 'a lock said what was not so');
});

/** One node, and controllers of one name that serve it and no other. */
class Post {
  readonly #t: TestContext;
  readonly node: string;
  readonly name: string;

  private constructor(t: TestContext, node: string) {
    this.#t = t;
    this.node = node;
    this.name = `lc-${node}`;
  }

  static async open(t: TestContext, node: string): Promise<Post> {
    const post = new Post(t, node);
    await stage.addNodes([node], post.name);
    return post;
  }

  /** Starts one; the test ends it at the latest. */
  async start(temporal?: string): Promise<ManagedProcess> {
    const controller = await stage.startController(this.name, {}, temporal);
    this.#t.after(() => controller.kill());
    return controller;
  }

  until(wish: (lock: SeenLock) => boolean): Promise<SeenLock> {
    return stage.untilNode(this.node, wish, this.name);
  }

  async isOut(): Promise<void> {
    await this.until(isInactive);
    assert.deepEqual(await stage.host(this.node), { standing: 'maintenance', instances: 0 });
  }

  async isBack(): Promise<void> {
    await this.until(isActive);
    assert.equal((await stage.host(this.node)).standing, 'in-service');
  }
}

describe('a lock controller that dies', { concurrency: 3 }, () => {
  const MOMENTS: { when: string; node: string; reached: (post: Post) => Promise<unknown> }[] = [
    { when: 'as the request comes', node: 'quick-1', reached: async () => undefined },
    { when: 'while instances leave', node: 'slow-1', reached: (post) => post.until(isGoing) },
    { when: 'when the lock is inactive', node: 'quick-2', reached: (post) => post.until(isInactive) },
  ];
  for (const { when, node, reached } of MOMENTS) {
    test(`goes on after SIGKILL ${when}`, async (t) => {
      const post = await Post.open(t, node);
      const first = await post.start();
      await post.until(isActive);
      await stage.request(node, node);
      await reached(post);
      await first.kill();
      await post.start();
      await post.isOut();
      await stage.withdraw(node);
      await post.isBack();
    });
  }

  test('hears of what went on while it was dead', async (t) => {
    const post = await Post.open(t, 'quick-3');
    const first = await post.start();
    await stage.request('missed', 'quick-3');
    await post.until(isInactive);
    await first.kill();
    await stage.withdraw('missed');
    const second = await post.start();
    await stage.engine.seen((entry) => entry.type === 'host.exiting' && entry.host === 'quick-3', 60_000);
    await second.kill();
    await post.start();
    await post.isBack();
  });

  test('ends a session that nothing in the cluster knows of any more', async (t) => {
    const post = await Post.open(t, 'quick-4');
    const first = await post.start();
    await stage.request('forgotten', 'quick-4');
    await post.until(isInactive);
    await first.kill();
    await stage.withdraw('forgotten');
    await kubectl('delete', 'nodeworkloadlock', `${post.name}-quick-4`);
    await post.start();
    await stage.engine.seen((entry) => entry.type === 'host.uncordoned' && entry.host === 'quick-4', 60_000);
    await post.isBack();
  });

  test('two replicas do it once, and a request may name the node with another domain', async (t) => {
    const post = await Post.open(t, 'quick-5');
    await Promise.all([post.start(), post.start()]);
    await stage.request('twice', 'quick-5', { nodeName: 'quick-5.rack7.example.org' });
    await post.isOut();
    await stage.withdraw('twice');
    await post.isBack();
    assert.equal((await stage.sessions(post.name)).length, 1);
  });
});

describe('a lock controller that cannot ask', () => {
  test('goes on after the API server was killed in the middle', async (t) => {
    const post = await Post.open(t, 'slow-2');
    await post.start();
    await stage.request('outage', 'slow-2');
    await post.until(isGoing);
    await service('kill', 'kube-apiserver');
    await stage.engine.seen((entry) => entry.type === 'host.entered' && entry.host === 'slow-2', 60_000);
    await service('start', 'kube-apiserver');
    await post.isOut();
    await stage.withdraw('outage');
    await post.isBack();
  });

  test('keeps the lock as it is while Temporal is away', async (t) => {
    const relay = await Relay.open(temporalAddress());
    t.after(() => relay.close());
    const isLost = says(/Temporal does not answer/);
    const post = await Post.open(t, 'slow-3');
    await post.start(relay.address);
    await stage.request('away', 'slow-3');
    await post.until(isGoing);
    relay.cut();
    await stage.engine.seen((entry) => entry.type === 'host.entered' && entry.host === 'slow-3', 60_000);
    const going = await post.until(isLost);
    assert.equal(going.status?.state, 'active');
    relay.mend();
    await post.isOut();
    relay.cut();
    await stage.withdraw('away');
    const out = await post.until(isLost);
    assert.equal(out.status?.state, 'inactive');
    relay.mend();
    await post.isBack();
  });
});
