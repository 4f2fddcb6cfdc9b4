import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { CliError } from '../../src/cli/failure.ts';
import { exitCodeOf, follow } from '../../src/cli/follow.ts';
import type { Progress } from '../../src/core/progress.ts';
import { HOLD, progressOf } from './progress.ts';

const DONE = progressOf({ state: 'MAINTENANCE_DONE', inFlight: [] });
const HELD = progressOf({ state: 'MAINTENANCE_FAILED', held: [HOLD], inFlight: [] });
const SILENT = new CliError(EXIT.noAnswer, 'no worker answers');

/** Answers one after the other; the session is closed with the last one when `status` says so. */
function fake(answers: (Progress | Error)[], status: 'RUNNING' | 'COMPLETED' | 'FAILED' = 'COMPLETED') {
  const left = [...answers];
  return {
    status: async () => (left.length <= 1 ? status : 'RUNNING'),
    progress: async () => {
      const answer = left.length > 1 ? left.shift() : left[0];
      if (!answer || answer instanceof Error) throw answer ?? new Error('no answer is left');
      return answer;
    },
    result: async () => {
      throw new CliError(EXIT.usage, 'InvalidSession: hosts.0: "x" is not a host');
    },
  } as const;
}

const seen: (Progress | 'silence')[] = [];
const options = {
  signal: new AbortController().signal,
  onProgress: (progress: Progress) => void seen.push(progress),
  onSilence: () => void seen.push('silence'),
};

test('it is followed to its end', async () => {
  seen.length = 0;
  const end = await follow(fake([progressOf(), DONE]), 'rack-12', options);
  assert.deepEqual(end, { status: 'COMPLETED', progress: DONE });
  assert.deepEqual(seen, [progressOf(), DONE]);
});

test('a worker that does not answer is waited for', async () => {
  seen.length = 0;
  await follow(fake([progressOf(), SILENT, DONE]), 'rack-12', options);
  assert.deepEqual(seen, [progressOf(), 'silence', DONE]);
});

test('a session that waits for an operator is left, one with hosts in flight is not', async () => {
  const stillOut = { ...HELD, hosts: { ...HELD.hosts, inFlight: 1 } };
  const end = await follow(fake([stillOut, HELD], 'RUNNING'), 'rack-12', options);
  assert.deepEqual(end, { status: 'RUNNING', progress: HELD });
});

test('a session that ends without a report tells why', async () => {
  await assert.rejects(
    follow(fake([progressOf()], 'FAILED'), 'rack-12', options),
    /InvalidSession: hosts\.0/,
  );
  const broken = fake([new CliError(EXIT.notFound, 'is not a session')], 'FAILED');
  await assert.rejects(follow(broken, 'rack-12', options), /InvalidSession: hosts\.0/);
});

test('Ctrl-C ends it with what was seen', async () => {
  const controller = new AbortController();
  const onProgress = (): void => {
    controller.abort();
  };
  const end = await follow(fake([progressOf()], 'RUNNING'), 'rack-12', {
    ...options,
    onProgress,
    signal: controller.signal,
  });
  assert.deepEqual(end?.progress, progressOf());
});

const codes: [...Parameters<typeof exitCodeOf>, number][] = [
  ['MAINTENANCE_DONE', EXIT.ok],
  ['PLANNED_MAINTENANCE', EXIT.ok],
  ['MAINTENANCE_PAUSED', EXIT.ok],
  ['MAINTENANCE_FAILED', EXIT.failed],
  ['MAINTENANCE_CANCELLED', EXIT.cancelled],
];
for (const [state, code] of codes) {
  test(`${state}: exit code ${code}`, () => {
    assert.equal(exitCodeOf(state), code);
  });
}
