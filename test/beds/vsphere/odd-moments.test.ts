/** The driver where something happens between two of its calls: answers that are lost, and people who meddle. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, beforeEach, describe, test } from 'node:test';
import { isErrorCode, MaintenanceError, type ErrorCode } from '../../../src/core/errors.ts';
import type { Instance } from '../../../src/core/inventory.ts';
import { PLAIN_REQUEST } from '../../../src/core/platform-options.ts';
import type { Driver, PlatformTask, TaskStatus } from '../../../src/drivers/driver.ts';
import { startBed, type Bed, type Fault } from './bed.ts';
import { govc } from './govc.ts';
import { connect } from './hosts.ts';
import { Witness } from './witness.ts';

const HOST = 'DC0_C0_H0';
const TARGET = 'DC0_C0_H1';
const MARK = { session: 'rack-12', host: HOST };
const PATIENCE_MS = 60_000;

let bed: Bed;
let stop: () => Promise<void>;
let driver: Driver;
let witness: Witness;
let vms: Instance[];

before(async () => {
  ({ bed, stop } = await startBed({ hosts: 3, vmsPerHost: 6 }));
  driver = connect(bed.address);
  witness = new Witness(bed.address);
  vms = (await driver.inspect(HOST, context())).instances;
});
beforeEach(async () => {
  await bed.reset();
  await bed.turn({ relocateMs: 200, powerMs: 100, shutdownMs: 100 });
});
after(async () => {
  await driver.close();
  await stop();
});

const context = () => ({ signal: AbortSignal.timeout(PATIENCE_MS) });
const operator = (...args: string[]): Promise<string> => govc(bed.address, args);

/** A VM that no test has had. */
function nextVm(): Instance {
  const vm = vms.pop();
  assert.ok(vm, 'no VM is left to try things on');
  return vm;
}

async function stateOf({ id }: Instance) {
  const vm = (await witness.vms()).find((one) => one.id === id);
  assert.ok(vm);
  return { host: vm.host, power: vm.powerState, note: vm.attributes['haulout'] ?? '' };
}

const failsWith = (code: ErrorCode, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof MaintenanceError && isErrorCode(error.code));
  assert.equal(error.code, code);
  assert.match(error.message, words);
  return true;
};

const moveCold = (vm: Instance): Promise<PlatformTask> =>
  driver.move(vm.id, { how: 'cold', target: TARGET }, context());

/** Polls until the answer is as wished; a call that may be repeated is. */
async function pollUntil(task: PlatformTask, wish: (status: TaskStatus) => boolean): Promise<TaskStatus> {
  const { signal } = context();
  for (;;) {
    const status = await driver.pollTask(task, { signal }).catch((error: unknown) => {
      if (error instanceof MaintenanceError && error.retryable) return undefined;
      throw error;
    });
    if (status && wish(status)) return status;
    await sleep(50, undefined, { signal });
  }
}

const isOver = ({ state }: TaskStatus): boolean => state !== 'running';
const isIn =
  (phase: string) =>
  (status: TaskStatus): boolean =>
    status.state === 'running' && status.detail === `cold move: ${phase}`;

const REFUSED: Fault = {
  method: 'PowerOnVM_Task',
  action: 'fault',
  fault: 'InsufficientFailoverResourcesFault',
};

describe('a cold move', () => {
  test('whose request to shut down was carried out and then refused goes on', async () => {
    const vm = nextVm();
    await bed.fail({ method: 'ShutdownGuest', action: 'cutAfter' });
    await assert.rejects(moveCold(vm), failsWith('PlatformUnreachable', /ShutdownGuest/));
    const task = await driver.findTask('move', vm.id, context());
    assert.ok(task);
    assert.equal((await pollUntil(task, isOver)).state, 'done');
    assert.deepEqual(await stateOf(vm), { host: TARGET, power: 'poweredOn', note: '' });
  });

  test('after which the VM does not start is told of to everybody who asks, until it starts', async () => {
    const vm = nextVm();
    const task = await moveCold(vm);
    await pollUntil(task, isIn('over'));
    await bed.fail({ ...REFUSED, times: 2 });
    const told = await pollUntil(task, isOver);
    assert.ok(told.state === 'failed');
    failsWith(
      'InstanceFailed',
      /was shut down to be moved, and does not start: .*InsufficientFailover/,
    )(told.error);
    const left = await driver.locate(vm.id, context());
    assert.deepEqual([left?.state, left?.host, left?.leaving], ['error', TARGET, HOST]);

    const again = await driver.findTask('move', vm.id, context());
    assert.ok(again);
    assert.equal((await pollUntil(again, isOver)).state, 'failed');
    assert.equal((await pollUntil(again, isOver)).state, 'done');
    assert.deepEqual(await stateOf(vm), { host: TARGET, power: 'poweredOn', note: '' });
  });

  test('that is refused, as is starting the VM where it was, is told of until it runs there', async () => {
    const vm = nextVm();
    await bed.fail({ method: 'RelocateVM_Task', action: 'fault', fault: 'InsufficientResourcesFault' });
    await bed.fail(REFUSED);
    const task = await moveCold(vm);
    const told = await pollUntil(task, isOver);
    assert.ok(told.state === 'failed');
    assert.equal(told.error.code, 'InstanceFailed');
    // It is off, and must not be taken for one that its owner has switched off.
    assert.equal((await driver.locate(vm.id, context()))?.state, 'moving');

    const over = await pollUntil(task, isOver);
    assert.ok(over.state === 'failed');
    assert.equal(over.error.code, 'MoveFailed');
    assert.deepEqual(await stateOf(vm), { host: HOST, power: 'poweredOn', note: '' });
  });

  test('is over when somebody switches the VM off again before it was seen to be on', async () => {
    const vm = nextVm();
    const task = await moveCold(vm);
    await pollUntil(task, isIn('up'));
    await untilIt(async () => (await stateOf(vm)).power === 'poweredOn');
    await operator('vm.power', '-off', vm.name);
    assert.equal((await pollUntil(task, isOver)).state, 'done');
    assert.deepEqual(await stateOf(vm), { host: TARGET, power: 'poweredOff', note: '' });
  });
});

async function untilIt(holds: () => Promise<boolean>): Promise<void> {
  const { signal } = context();
  while (!(await holds())) await sleep(50, undefined, { signal });
}

test('what somebody wrote on a VM is not written over: it is neither moved cold nor stopped', async () => {
  const vm = nextVm();
  await operator('fields.add', 'haulout').catch(() => 'it is there');
  await operator('fields.set', 'haulout', 'asked for by Bob', `/DC0/vm/${vm.name}`);
  const refused = failsWith('MoveRefused', /its attribute haulout says "asked for by Bob".*empty it/);
  await assert.rejects(moveCold(vm), refused);
  await assert.rejects(driver.stop(vm.id, MARK, context()), refused);
  const state = { host: HOST, power: 'poweredOn', note: 'asked for by Bob' };
  assert.deepEqual(await stateOf(vm), state);

  const task = await driver.move(vm.id, { how: 'live', target: TARGET }, context());
  await pollUntil(task, isOver);
  assert.deepEqual(await stateOf(vm), { ...state, host: TARGET });
});

describe('the attribute that holds marks', () => {
  test('may be deleted and made anew while the driver works', async () => {
    await driver.cordon(HOST, MARK, PLAIN_REQUEST, context());
    await operator('fields.rm', 'haulout');
    await driver.cordon(TARGET, { ...MARK, host: TARGET }, PLAIN_REQUEST, context());
    const marked = (await witness.hosts()).filter(({ attributes }) => attributes['haulout']);
    assert.deepEqual(
      marked.map(({ name }) => name),
      [TARGET],
    );
    await driver.uncordon(TARGET, { ...MARK, host: TARGET }, context());
  });

  test('cannot be one that only hosts have', async () => {
    await operator('fields.rm', 'haulout').catch(() => 'it is not there');
    await operator('fields.add', '-type', 'HostSystem', 'haulout');
    try {
      const fresh = connect(bed.address);
      const cordoned = fresh.cordon(HOST, MARK, PLAIN_REQUEST, context()).finally(() => fresh.close());
      await assert.rejects(
        cordoned,
        failsWith('Unsupported', /haulout is for HostSystem only.*rename or delete it/),
      );
    } finally {
      await operator('fields.rm', 'haulout');
    }
  });
});

test('a session that is lost in the middle of reading everything is renewed, and it is read again', async () => {
  await bed.fail({ method: 'RetrievePropertiesEx', action: 'hold', milliseconds: 1_000 });
  const reading = driver.inventory(context());
  await untilIt(async () => ((await bed.counters())['CreateContainerView'] ?? 0) > 0);
  await bed.expireSessions();
  const { hosts } = await reading;
  assert.deepEqual(
    hosts.filter(({ labels }) => labels['cluster'] === 'DC0_C0').map(({ name }) => name),
    [HOST, TARGET, 'DC0_C0_H2'],
  );
});

test('a host whose name is not its own any more is refused by naming the candidates', async () => {
  await operator('cluster.create', 'DC0_C9');
  await operator(
    'cluster.add',
    '-cluster',
    'DC0_C9',
    '-hostname',
    'DC0_C0_H2',
    '-username',
    'u',
    '-password',
    'p',
    '-noverify',
  );
  const fresh = connect(bed.address);
  try {
    await assert.rejects(
      fresh.inspect('DC0_C0_H2', context()),
      failsWith(
        'UnknownHost',
        /several hosts DC0_C0_H2 .*: \/DC0\/host\/DC0_C0\/DC0_C0_H2, \/DC0\/host\/DC0_C9\/DC0_C0_H2/,
      ),
    );
    assert.equal((await fresh.inspect('/DC0/host/DC0_C9/DC0_C0_H2', context())).instances.length, 0);
  } finally {
    await fresh.close();
  }
});
