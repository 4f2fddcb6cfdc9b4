import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Faults, faultSpec } from '../../src/simulator/faults.ts';
import { type Simulator, startSimulator } from '../../src/simulator/server.ts';

const SIZE = { vcpus: 1, memoryMb: 1024, diskGb: 10 };

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({
    fleet: {
      hosts: { count: 2, capacity: { vcpus: 10, memoryMb: 10_240, diskGb: 100 } },
      instances: { perHost: 1, sizes: [SIZE] },
      migration: { baseMs: 10, mbPerSecond: 0 },
    },
  });
});
afterEach(() => simulator.close());

const fault = (effect: object, match: object = {}): void => {
  simulator.faults.add(faultSpec.parse({ match: { operation: 'cordon', ...match }, effect }));
};

const cordon = (signal?: AbortSignal): Promise<Response> =>
  fetch(`${simulator.url}/v1/hosts/compute-01/cordon`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"reason":"x"}',
    ...(signal ? { signal } : {}),
  });

const isCordoned = (): boolean => simulator.datacentre.viewHost('compute-01').standing === 'cordoned';

async function eventually(what: string, look: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!look()) {
    assert.ok(Date.now() < deadline, `timed out: ${what}`);
    await delay(5);
  }
}

describe('effects', () => {
  test('fail answers with the error that was asked for, and does nothing', async () => {
    fault({ kind: 'fail', status: 507, code: 'Odd', message: 'no room' });
    const response = await cordon();
    assert.equal(response.status, 507);
    assert.deepEqual(await response.json(), { error: { code: 'Odd', message: 'no room' } });
    assert.equal(isCordoned(), false);
  });

  test('retryAfter answers 429', async () => {
    fault({ kind: 'retryAfter', seconds: 3 });
    const response = await cordon();
    assert.deepEqual([response.status, response.headers.get('retry-after')], [429, '3']);
    assert.equal(isCordoned(), false);
  });

  test('garbage answers 200 with HTML, and does nothing', async () => {
    fault({ kind: 'garbage' });
    const response = await cordon();
    assert.equal(response.status, 200);
    assert.match(await response.text(), /^<html>/);
    assert.equal(isCordoned(), false);
  });

  test('dropConnection does nothing and answers nothing', async () => {
    fault({ kind: 'dropConnection' });
    await assert.rejects(cordon());
    assert.equal(isCordoned(), false);
  });

  test('loseAnswer does it and answers nothing', async () => {
    fault({ kind: 'loseAnswer' });
    await assert.rejects(cordon());
    assert.equal(isCordoned(), true);
  });

  test('hang does it and answers late, or never', async () => {
    fault({ kind: 'hang', ms: 50 }, { times: 1 });
    const begun = Date.now();
    assert.equal((await cordon()).status, 200);
    assert.ok(Date.now() - begun >= 45, 'the answer was late');
    fault({ kind: 'hang' });
    simulator.datacentre.uncordon('compute-01');
    const controller = new AbortController();
    const hung = cordon(controller.signal);
    await eventually('the host is cordoned', isCordoned);
    controller.abort();
    await assert.rejects(hung);
  });

  test('slow waits first, and then does it', async () => {
    fault({ kind: 'slow', ms: 50 });
    const begun = Date.now();
    assert.equal((await cordon()).status, 200);
    assert.ok(Date.now() - begun >= 45, 'it waited');
    assert.equal(isCordoned(), true);
  });

  test('each strike is in the journal', async () => {
    fault({ kind: 'slow', ms: 1 });
    await cordon();
    const [entry] = simulator.journal.entries.filter(({ type }) => type === 'fault.injected');
    assert.ok(entry?.type === 'fault.injected');
    assert.deepEqual(
      { fault: entry.fault, operation: entry.operation, effect: entry.effect, host: entry.host },
      { fault: 'fault-1', operation: 'cordon', effect: 'slow', host: 'compute-01' },
    );
  });
});

describe('matching', () => {
  const effect = { kind: 'garbage' };
  const cordonOf = { operation: 'cordon', host: 'h' } as const;
  const struck = (faults: Faults, times: number): boolean[] =>
    Array.from({ length: times }, () => faults.strike(cordonOf) !== undefined);
  const withFault = (match: object, what: object = effect): Faults => {
    const faults = new Faults(1);
    faults.add(faultSpec.parse({ match: { operation: 'cordon', ...match }, effect: what }));
    return faults;
  };

  test('after and times say which requests are struck', () => {
    assert.deepEqual(struck(withFault({ after: 1, times: 2 }), 5), [false, true, true, false, false]);
  });

  test('operation, host and instance narrow it down', () => {
    const instance = { id: 'i-1', name: 'web-1' };
    assert.ok(withFault({ host: 'h' }).strike(cordonOf));
    assert.ok(!withFault({ host: 'other' }).strike(cordonOf));
    assert.ok(!withFault({ operation: 'enter' }).strike(cordonOf));
    assert.ok(withFault({ operation: 'any' }).strike(cordonOf));
    for (const name of ['i-1', 'web-1']) {
      assert.ok(withFault({ operation: 'stop', instance: name }).strike({ operation: 'stop', instance }));
    }
    assert.ok(!withFault({ operation: 'stop', instance: 'web-2' }).strike({ operation: 'stop', instance }));
    assert.ok(!withFault({ instance: 'web-1' }).strike(cordonOf));
  });

  test('the first fault that strikes is the one', () => {
    const faults = withFault({ times: 1 });
    faults.add(faultSpec.parse({ match: { operation: 'any' }, effect: { kind: 'loseAnswer' } }));
    assert.deepEqual(
      [1, 2].map(() => faults.strike(cordonOf)?.effect.kind),
      ['garbage', 'loseAnswer'],
    );
    faults.clear();
    assert.equal(faults.strike(cordonOf), undefined);
  });

  test('what concerns tasks strikes only what starts one', () => {
    const faults = withFault({ operation: 'any' }, { kind: 'neverEnds' });
    assert.equal(faults.strike(cordonOf), undefined);
    assert.ok(faults.strike({ operation: 'migrate' }));
  });

  test('probability is a share of requests', () => {
    const hits = struck(withFault({ probability: 0.3 }), 1000).filter(Boolean).length;
    assert.ok(hits > 230 && hits < 370, `${hits} of 1000`);
  });
});

describe('the API of faults', () => {
  const post = (body: object): Promise<Response> =>
    fetch(`${simulator.url}/v1/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('adds, lists and clears', async () => {
    const body = { match: { operation: 'cordon' }, effect: { kind: 'garbage' } };
    assert.equal((await post(body)).status, 201);
    await cordon();
    const listed = (await (await fetch(`${simulator.url}/v1/faults`)).json()) as { faults: object[] };
    assert.deepEqual(listed.faults, [
      {
        ...body,
        match: { operation: 'cordon', probability: 1, after: 0 },
        id: 'fault-1',
        matched: 1,
        struck: 1,
      },
    ]);
    assert.equal((await fetch(`${simulator.url}/v1/faults`, { method: 'DELETE' })).status, 204);
    await cordon();
    assert.equal(isCordoned(), true);
  });

  for (const [what, body] of [
    ['an unknown operation', { match: { operation: 'explode' }, effect: { kind: 'garbage' } }],
    ['an unknown effect', { match: { operation: 'cordon' }, effect: { kind: 'explode' } }],
    [
      'a task effect on what starts no task',
      { match: { operation: 'cordon' }, effect: { kind: 'neverEnds' } },
    ],
    ['unknown keys', { match: { operation: 'cordon', when: 'now' }, effect: { kind: 'garbage' } }],
  ] as const) {
    test(`refuses ${what}`, async () => assert.equal((await post(body)).status, 400));
  }
});

describe('tasks', () => {
  const migrate = async (): Promise<string> => {
    const response = await fetch(`${simulator.url}/v1/instances/i-000001/migrate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"mode":"live"}',
    });
    assert.equal(response.status, 202);
    return ((await response.json()) as { taskId: string }).taskId;
  };

  test('failTask accepts the request and fails the task', async () => {
    fault({ kind: 'failTask', code: 'Qemu', message: 'boom' }, { operation: 'migrate' });
    const task = await migrate();
    await eventually('the task ends', () => simulator.datacentre.tasks.get(task).state !== 'running');
    const { state, error } = simulator.datacentre.tasks.get(task);
    assert.deepEqual({ state, error }, { state: 'failed', error: { code: 'Qemu', message: 'boom' } });
  });

  test('reads of a task are matched by its kind', async () => {
    fault(
      { kind: 'fail', status: 500, code: 'X', message: 'x' },
      { operation: 'task:migrate', instance: 'i-000001' },
    );
    const task = await migrate();
    assert.equal((await fetch(`${simulator.url}/v1/tasks/${task}`)).status, 500);
  });

  test('lists of tasks are matched by what they are asked about', async () => {
    fault({ kind: 'fail', status: 500, code: 'X', message: 'x' }, { operation: 'tasks', host: 'compute-01' });
    const statusOf = async (query: string): Promise<number> =>
      (await fetch(`${simulator.url}/v1/tasks?${query}`)).status;
    assert.equal(await statusOf('kind=enter&subject=compute-01'), 500);
    const [instance] = simulator.datacentre.instancesOn('compute-01');
    assert.equal(await statusOf(`kind=migrate&subject=${instance?.id}`), 500);
    assert.equal(await statusOf('kind=enter&subject=compute-02'), 200);
    assert.equal(await statusOf('state=running'), 200);
  });
});
