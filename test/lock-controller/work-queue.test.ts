import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { WorkQueue } from '../../src/lock-controller/work-queue.ts';

/** Work that ends when it is told to. */
function workshop(lanes: number): {
  queue: WorkQueue;
  begun: string[];
  end: (error?: Error) => Promise<void>;
  failed: string[];
} {
  const begun: string[] = [];
  const failed: string[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const queue = new WorkQueue({
    work: (key) => {
      begun.push(key);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    lanes,
    failed: (key) => failed.push(key),
  });
  const end = async (error?: Error): Promise<void> => {
    const next = waiting.shift();
    if (error) next?.reject(error);
    else next?.resolve();
    await turn();
  };
  return { queue, begun, end, failed };
}

test('a key is worked on by one at a time, and again when it was added meanwhile, however often', async () => {
  const { queue, begun, end } = workshop(4);
  queue.add('a');
  queue.add('a');
  queue.add('a');
  assert.deepEqual(begun, ['a']);
  await end();
  assert.deepEqual(begun, ['a', 'a']);
  await end();
  assert.deepEqual(begun, ['a', 'a']);
});

test('no more keys are worked on at one time than there are lanes', async () => {
  const { queue, begun, end } = workshop(2);
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  assert.deepEqual(begun, ['a', 'b']);
  await end();
  assert.deepEqual(begun, ['a', 'b', 'c']);
  await end();
  await end();
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
});

test('what fails is tried again after pauses that grow, until it succeeds', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { queue, begun, end, failed } = workshop(1);
  queue.add('a');
  for (const [index, pause] of [500, 1_000, 2_000].entries()) {
    await end(new Error('no'));
    assert.equal(failed.length, index + 1);
    mock.timers.tick(pause - 1);
    assert.equal(begun.length, index + 1);
    mock.timers.tick(1);
    assert.equal(begun.length, index + 2);
  }
  await end();
  queue.add('a');
  await end(new Error('no'));
  mock.timers.tick(500);
  assert.equal(begun.length, 6, 'after a success it begins with the first pause again');
});

test('of two times to look again the earlier one counts', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { queue, begun } = workshop(1);
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 100);
  queue.addAfter('a', 5_000);
  mock.timers.tick(100);
  assert.deepEqual(begun, ['a']);
});

test('one that is closed begins nothing more, and waits for what is under way', async () => {
  const { queue, begun, end } = workshop(1);
  queue.add('a');
  queue.add('b');
  let isClosed = false;
  const closing = queue.close().then(() => {
    isClosed = true;
  });
  await turn();
  assert.equal(isClosed, false);
  await end();
  await closing;
  queue.add('c');
  assert.deepEqual(begun, ['a']);
});
