import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/devstack/ports.ts';
import { Processes, ProcessError, type ProcessSpec } from '../../src/devstack/processes.ts';

let directory: string;
let processes: Processes;
const lost: string[] = [];

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'haulout-processes-'));
  processes = new Processes(directory, (name, how) => lost.push(`${name} ${how}`));
});
after(async () => {
  await processes.stop();
  await rm(directory, { recursive: true });
});

/** A process that runs `script` and is ready when it prints `ready WORD`. */
const node = (name: string, script: string): ProcessSpec<string> => ({
  name,
  program: process.execPath,
  args: ['-e', script],
  env: process.env,
  ready: async (line) => (await line(/^ready (\w+)/))[1] ?? '',
});

const STAYS = 'console.log("starting"); console.log("ready now"); setInterval(() => {}, 1000);';

async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not within 15 s: ${what}`);
    await sleep(50);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a process is ready when it says so, and its output is in the log', async () => {
  const { process: started, learnt } = await processes.start(node('ready', STAYS));
  assert.equal(learnt, 'now');
  assert.ok(isRunning(started.pid));
  await started.stop();
  assert.equal(isRunning(started.pid), false);
  assert.equal(await readFile(path.join(directory, 'ready.log'), 'utf8'), 'starting\nready now\n');
  assert.deepEqual(lost, [], 'it was stopped, not lost');
});

test('one that ends before it is ready is an error with its last words', async () => {
  await assert.rejects(
    processes.start(node('early', 'console.error("no such fleet"); process.exitCode = 4')),
    (error: Error) =>
      error instanceof ProcessError &&
      /early ended with exit code 4 .*early\.log\n {2}no such fleet/s.test(error.message),
  );
});

test('a program that is not there is an error', async () => {
  const spec = { ...node('absent', ''), program: path.join(directory, 'nothing') };
  await assert.rejects(processes.start(spec), /The absent cannot be started: .*ENOENT/);
});

test('a process that ends by itself is reported; one that was killed here is not', async () => {
  const { process: killed } = await processes.start(node('killed', STAYS));
  await killed.kill();
  const { process: fell } = await processes.start(node('fell', STAYS));
  process.kill(fell.pid, 'SIGKILL');
  await eventually('the loss is reported', () => lost.length > 0);
  assert.deepEqual(lost, ['fell SIGKILL']);
});

test('nothing outlives a stack that is killed', async () => {
  const script = `
    import { Processes } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/devstack/processes.ts'))};
    const processes = new Processes(${JSON.stringify(directory)}, () => {});
    const { process: child } = await processes.start({
      name: 'orphan', program: process.execPath, args: ['-e', ${JSON.stringify(STAYS)}], env: process.env,
      ready: (line) => line(/^ready/),
    });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const orphan = Number(line);
  assert.ok(isRunning(orphan));
  parent.kill('SIGKILL');
  await eventually('the orphan is gone', () => !isRunning(orphan));
});

test('a port that is taken is not taken again', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const other = await freePort(port);
  assert.notEqual(other, port);
  server.close();
  await once(server, 'close');
  assert.equal(await freePort(port), port);
});
