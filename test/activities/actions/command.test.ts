import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createCommandAction } from '../../../activities/actions/command.ts';
import type { ActionInput } from '../../../src/core/host-run.ts';
import { actionContext, actionInput, until } from './context.ts';

let directory = '';
before(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'haulout-command-'));
});
after(() => {
  rmSync(directory, { recursive: true });
});

interface Options {
  timeout?: string;
  input?: Partial<ActionInput>;
  context?: ReturnType<typeof actionContext>;
}

/** Runs `run` as the command `it` of the allow-list. */
const runCommand = (
  run: string[],
  { timeout, input, context = actionContext() }: Options = {},
): Promise<void> =>
  createCommandAction({ allow: { it: { run, ...(timeout && { timeout }) } } })(
    actionInput('command', { command: 'it' }, input),
    context,
  );

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('the arguments reach the program as written, with the placeholders filled in and no shell between', async () => {
  const file = path.join(directory, 'argv');
  const script = `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.argv.slice(1)))`;
  await runCommand(['node', '-e', script, '--', '{host}', 'at={site}/{session}', '$HOME; *', '{"a":1}'], {
    input: { host: 'compute-3; rm -rf $(x)' },
  });
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), [
    'compute-3; rm -rf $(x)',
    'at=demo/rack-12',
    '$HOME; *',
    '{"a":1}',
  ]);
});

test('the program sees PATH and what HAULOUT_ variables say of the action, and no other variable', async () => {
  const file = path.join(directory, 'env');
  process.env.SECRET_OF_THE_WORKER = 'hunter2';
  await runCommand([
    'node',
    '-e',
    `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.env))`,
  ]);
  const { PATH, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  assert.equal(PATH, process.env.PATH);
  assert.deepEqual(rest, {
    HAULOUT_SESSION: 'rack-12',
    HAULOUT_SITE: 'demo',
    HAULOUT_HOST: 'compute-3',
    HAULOUT_ACTION_TYPE: 'host',
    HAULOUT_SESSION_METADATA: '{"ticket":"CHG-7"}',
    HAULOUT_IDEMPOTENCY_KEY: 'rack-12/compute-3/0',
  });
});

test('a command that is not in the allow-list is not run', async () => {
  const action = createCommandAction({ allow: {} });
  for (const command of ['reboot', 'constructor', '__proto__']) {
    await assert.rejects(action(actionInput('command', { command }), actionContext()), {
      code: 'ActionNotAllowed',
      retryable: false,
      message: new RegExp(`"${command}"`),
    });
  }
});

test('metadata that is wrong is refused by the name of the field', async () => {
  const action = createCommandAction({ allow: { it: { run: ['true'] } } });
  await assert.rejects(action(actionInput('command', { command: 7 }), actionContext()), {
    code: 'ActionFailed',
    message: /metadata\.command/,
  });
  await assert.rejects(action(actionInput('command', { command: 'it', args: ['-x'] }), actionContext()), {
    code: 'ActionFailed',
    message: /args/,
  });
});

test('a name that a program would take for an option is refused before anything runs', async () => {
  const file = path.join(directory, 'never');
  await assert.rejects(runCommand(['touch', file, '{host}'], { input: { host: '--help' } }), {
    code: 'ActionFailed',
    message: /"--help" starts with "-"/,
  });
  assert.equal(existsSync(file), false);
});

test('a command that needs a host fails where there is none', async () => {
  const input = actionInput('command', { command: 'it' }, { type: 'pre' });
  delete input.host;
  const action = createCommandAction({ allow: { it: { run: ['true', '{host}'] } } });
  await assert.rejects(action(input, actionContext()), { code: 'ActionFailed', message: /\{host\}/ });
});

test('a failure carries the exit code and the end of the output, at most 2,000 characters of it', async () => {
  const script = 'for i in $(seq 1 2000); do echo "line $i"; done; echo "disk is on fire: ü" >&2; exit 3';
  await assert.rejects(
    runCommand(['sh', '-c', script]),
    (error: Error & { vendor: string; retryable: boolean }) => {
      assert.match(error.message, /command "it" ended with exit code 3/);
      assert.equal(error.retryable, false);
      assert.ok(error.vendor.length <= 2000, `${error.vendor.length} characters`);
      assert.match(error.vendor, /line 2000\b/);
      assert.match(error.vendor, /disk is on fire: ü/);
      return true;
    },
  );
});

test('exit code 75 asks for another try', async () => {
  await assert.rejects(runCommand(['sh', '-c', 'exit 75']), { code: 'ActionFailed', retryable: true });
});

test('a program that a signal ends has failed', async () => {
  await assert.rejects(runCommand(['sh', '-c', 'kill -KILL $$']), {
    code: 'ActionFailed',
    message: /was ended by SIGKILL/,
  });
});

test('a program that is not there fails with its name', async () => {
  await assert.rejects(runCommand(['/nonexistent/program']), {
    code: 'ActionFailed',
    message: /cannot be started: .*\/nonexistent\/program/,
  });
});

test('a command that has ended does not wait for what it left running', async () => {
  const file = path.join(directory, 'daemon');
  await runCommand(['sh', '-c', `sleep 60 & echo $! > ${file}`]);
  const daemon = Number(readFileSync(file, 'utf8'));
  assert.equal(isRunning(daemon), true);
  process.kill(daemon);
});

test('an abort ends the program and all it started, and the reason of the abort comes out', async () => {
  const file = path.join(directory, 'group');
  const context = actionContext();
  const running = runCommand(['sh', '-c', `sleep 60 & echo $! > ${file}.tmp; mv ${file}.tmp ${file}; wait`], {
    context,
  });
  await until(() => existsSync(file));
  const reason = new Error('the session was cancelled');
  context.abort.abort(reason);
  await assert.rejects(running, reason);
  await until(() => !isRunning(Number(readFileSync(file, 'utf8'))));
});

test('a program that ignores SIGTERM is killed', { timeout: 30_000 }, async () => {
  const file = path.join(directory, 'stubborn');
  const context = actionContext();
  const script = `trap '' TERM; echo $$ > ${file}.tmp; mv ${file}.tmp ${file}; while :; do sleep 0.1; done`;
  const running = runCommand(['sh', '-c', script], { context });
  await until(() => existsSync(file));
  context.abort.abort(new Error('stop'));
  await assert.rejects(running, /stop/);
  assert.equal(isRunning(Number(readFileSync(file, 'utf8'))), false);
});

test('a command that takes longer than its timeout is ended and has failed', async () => {
  await assert.rejects(runCommand(['sh', '-c', 'echo started; sleep 60'], { timeout: '200ms' }), {
    code: 'ActionFailed',
    retryable: false,
    message: /took longer than its timeout of 200ms/,
    vendor: 'started',
  });
});
