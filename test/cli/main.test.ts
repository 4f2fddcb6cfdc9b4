import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startEngine, SITE, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';
import type { Plan, Progress, Report } from '../../src/core/progress.ts';
import { haulout, startCli, type CliEnd } from './run-cli.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'haulout-main-'));
let engine: Engine;

before(async () => {
  engine = await startEngine(fleetOf(4, 2));
});
after(async () => {
  await engine.stop();
  rmSync(directory, { recursive: true });
});

/** Runs `haulout` against the engine. */
const run = (...args: string[]): Promise<CliEnd> =>
  haulout(args, { ...process.env, TEMPORAL_NAMESPACE: engine.namespace });

function file(name: string, content: unknown): string {
  const written = path.join(directory, `${name}.json`);
  writeFileSync(written, typeof content === 'string' ? content : JSON.stringify(content));
  return written;
}

/** Ended with this code, and without a stack. */
function assertEnd({ code, stdout, stderr }: CliEnd, expected: number, said?: RegExp): void {
  assert.equal(code, expected, stdout + stderr);
  assert.doesNotMatch(stderr, /^ +at /m, 'a stack was shown');
  if (said) assert.match(stdout + stderr, said);
}

test('a session is planned, started, watched and reported', async () => {
  const input = file('all', { site: SITE, actions: [WORK], budget: { maxConcurrentHosts: 2 } });

  const planned = await run('plan', input, '--json');
  assertEnd(planned, 0);
  const plan = JSON.parse(planned.stdout) as Plan;
  assert.equal(plan.hostCount, 4);
  assert.equal(plan.moves, 6);
  assert.equal(
    engine.simulator.journal.entries.filter(({ type }) => type !== 'request').length,
    1,
    'it was touched',
  );

  assertEnd(
    await run('start', input, '--id', 'whole'),
    0,
    /Started "whole", maintenance of all hosts at lab/,
  );
  assertEnd(await run('watch', 'whole'), 0, /MAINTENANCE_DONE.*100 % · 4 of 4 hosts done/s);

  const reported = await run('report', 'whole', '--json');
  assertEnd(reported, 0);
  const report = JSON.parse(reported.stdout) as Report;
  assert.deepEqual([report.state, report.hosts.done], ['MAINTENANCE_DONE', 4]);

  assertEnd(await run('pause', 'whole'), 6, /"whole" has ended \(COMPLETED\)/);
  assertEnd(await run('list'), 0, /^whole +lab +MAINTENANCE_DONE +COMPLETED/m);
});

test('a held host is shown, retried only by its name, and done after continue', async () => {
  const trouble = { kind: 'fail', status: 422, code: 'BadImage', message: 'the image is corrupt' };
  await engine.fault({ match: { operation: 'work', host: 'compute-02' }, effect: trouble });
  const input = file('one', { site: SITE, hosts: ['compute-02'], actions: [WORK] });
  assertEnd(await run('start', input, '--id', 'held'), 0);
  assertEnd(await run('start', input, '--id', 'held'), 6, /A session "held" runs already/);

  const watched = await run('watch', 'held');
  assertEnd(watched, 3, /compute-02: held at work · ActionFailed: .*the image is corrupt/);
  assert.match(watched.stdout, /haulout continue held/);
  assertEnd(await run('report', 'held'), 3, /compute-02 at work/);

  assertEnd(
    await run('continue', 'held', '--retry', 'compute-09'),
    6,
    /"compute-09" is not a host of this session/,
  );
  await engine.clearFaults();
  const continued = await run('continue', 'held', '--retry', 'compute-02', '--json');
  assertEnd(continued, 0);
  assert.equal((JSON.parse(continued.stdout) as Progress).session, 'held');
  assertEnd(await run('watch', 'held', '--json'), 0, /"state":"MAINTENANCE_DONE"/);
});

test('a session is paused, left to itself by Ctrl-C, and cancelled', async () => {
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const input = file('later', { site: SITE, maintenanceAt: later });
  assertEnd(await run('start', input, '--id', 'later'), 0);
  assertEnd(await run('pause', 'later', '--reason', 'lunch'), 0, /"later" takes it/);

  const watching = startCli('main.ts', ['watch', 'later'], {
    env: { ...process.env, TEMPORAL_NAMESPACE: engine.namespace },
  });
  await new Promise((resolve) => watching.child.stdout?.once('data', resolve));
  watching.child.kill('SIGINT');
  assertEnd(await watching.end, 0, /Stopped watching; "later" goes on/);
  assert.equal((await engine.client.workflow.getHandle('later').describe()).status.name, 'RUNNING');

  assertEnd(await run('cancel', 'later', '--reason', 'not today'), 0);
  assertEnd(await run('watch', 'later'), 4, /MAINTENANCE_CANCELLED/);
  assertEnd(await run('report', 'later'), 4, /not today/);
});

const wrongCalls: [args: string[], code: number, said: RegExp][] = [
  [['watch', 'nowhere'], 5, /There is no session "nowhere"/],
  [['report', 'nowhere'], 5, /There is no session "nowhere"/],
  [['cancel', 'nowhere'], 5, /There is no session "nowhere"/],
  [['cancel', 'x', '--mode', 'abandon'], 2, /Allowed choices are rollback, finish/],
  [['continue', 'x', '--until', 'tomorrow'], 2, /maintenanceUntil: /],
  [['continue', 'x', '--retry', 'a,a'], 2, /retry\.1: "a" is listed twice/],
  [['list', '--limit', 'many'], 2, /must be a number from 1 to 1000/],
  [['plan'], 2, /missing required argument 'file'/],
  [['frobnicate'], 2, /unknown command/],
  [['start', 'nowhere.json'], 2, /nowhere\.json cannot be read/],
];
for (const [args, code, said] of wrongCalls) {
  test(`haulout ${args.join(' ')}: exit code ${code}`, async () => {
    assertEnd(await run(...args), code, said);
  });
}

test('a wrong session is refused here, with each path, and nothing is started', async () => {
  assertEnd(await run('start', file('broken', '{"site":')), 2, /broken\.json is not JSON/);
  const wrong = file('wrong', { site: SITE, hosts: ['a', 'a'], budget: { maxHosts: 2 } });
  assertEnd(await run('start', wrong, '--id', 'wrong'), 2, /hosts\.1: .*twice.*budget\.maxHosts: /s);
  assertEnd(await run('report', 'wrong'), 5);
});

test('a plan that waits for its site says what the site has answered', async () => {
  const effect = { kind: 'fail', status: 500, code: 'Boom', message: 'a bad day' };
  await engine.fault({ match: { operation: 'any' }, effect });
  const env = { ...process.env, TEMPORAL_NAMESPACE: engine.namespace };
  const { child, end } = startCli('main.ts', ['plan', file('trouble', { site: SITE })], { env });
  const told = new Promise<void>((resolve) => {
    child.stderr?.on('data', () => {
      resolve();
    });
  });
  await Promise.race([told, end]);
  await engine.simulate('DELETE', '/v1/faults', {});
  assertEnd(await end, 0, /Still planning as "plan-lab-.*": .*a bad day/);
});

test('what only the worker can know is refused with the same code', async () => {
  const unknown = file('unknown', { site: SITE, hosts: ['compute-77'] });
  assertEnd(await run('plan', unknown), 2, /compute-77/);
  assertEnd(await run('start', unknown, '--id', 'unknown'), 0);
  assertEnd(await run('watch', 'unknown'), 2, /compute-77/);
});

test('a session that was terminated says how to take it up again', async () => {
  const later = new Date(Date.now() + 3_600_000).toISOString();
  assertEnd(await run('start', file('lost', { site: SITE, maintenanceAt: later }), '--id', 'lost'), 0);
  await engine.client.workflow.getHandle('lost').terminate('by mistake');
  assertEnd(await run('watch', 'lost'), 3, /by mistake; .*"resumeFrom": "lost"/);
  assertEnd(await run('report', 'lost'), 3, /by mistake/);
});

test('without a server, the error says where it was looked for and what to do', async () => {
  const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  assertEnd(await haulout(['list'], env), 7, /127\.0\.0\.1:1.*haulout up.*TEMPORAL_ADDRESS/s);
});

test('--help names every exit code', async () => {
  const help = await haulout(['--help']);
  assertEnd(help, 0);
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7]) assert.match(help.stdout, new RegExp(`^  ${code}  \\w`, 'm'));
});
