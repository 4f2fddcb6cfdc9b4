import assert from 'node:assert/strict';
import test from 'node:test';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import { GB, makeGroup, makeHost, makeInstance } from './fleet.ts';

const inventory = {
  hosts: [makeHost('compute-10'), makeHost('compute-2'), makeHost('compute-1')],
  instances: [
    makeInstance('web-1', 'compute-2', 8 * GB, { groups: ['web'] }),
    makeInstance('web-2', 'compute-2', 4 * GB, { state: 'stopped' }),
    makeInstance('lost', 'nowhere', 4 * GB),
  ],
  groups: [makeGroup('web', 'anti-affinity')],
};
const at = (snapshot: Snapshot, host: string): number => snapshot.indexOf(host) ?? -1;
const freeGb = (snapshot: Snapshot, host: string): number =>
  snapshot.withReservations([]).freeMemoryMb(at(snapshot, host)) / GB;

test('hosts are in natural order, and instances on hosts that are not listed are left out', () => {
  const snapshot = new Snapshot(inventory);
  assert.deepEqual(
    snapshot.hosts.map(({ name }) => name),
    ['compute-1', 'compute-2', 'compute-10'],
  );
  assert.equal(snapshot.instance('id-lost'), undefined);
  assert.equal(freeGb(snapshot, 'compute-2'), 52, 'stopped instances hold their memory');
});

test('a reservation takes room on the target, and leaves the source its own', () => {
  const snapshot = new Snapshot(inventory);
  const room = snapshot.withReservations([
    { instance: 'id-web-1', target: 'compute-1' },
    { instance: 'id-web-2', target: 'compute-2' },
    { instance: 'id-gone', target: 'compute-1' },
  ]);
  assert.equal(room.freeMemoryMb(at(snapshot, 'compute-1')), 56 * GB);
  assert.equal(room.freeMemoryMb(at(snapshot, 'compute-2')), 52 * GB);
  assert.equal(room.membersOn('web', at(snapshot, 'compute-1')), 1);
  assert.equal(room.membersOn('web', at(snapshot, 'compute-2')), 1);
  assert.equal(freeGb(snapshot, 'compute-1'), 64, 'the snapshot is as it was');
});

test('claims are undone to the bit, back to a mark', () => {
  const snapshot = new Snapshot(inventory);
  const room = snapshot.withReservations([]);
  const web = makeInstance('web-3', 'compute-2', 0.1, { groups: ['web'] });
  room.claim(web, 0);
  const before = room.free(0);
  const mark = room.mark();
  room.claim(web, 0);
  room.claim(web, 0);
  room.rollback(mark);
  assert.deepEqual(room.free(0), before);
  assert.equal(room.membersOn('web', 0), 1);
});

test('a move that is recorded shows in all that is read afterwards', () => {
  const snapshot = new Snapshot(inventory);
  snapshot.moveInstance('id-web-1', 'compute-10');
  assert.equal(freeGb(snapshot, 'compute-2'), 60);
  assert.equal(freeGb(snapshot, 'compute-10'), 56);
  assert.deepEqual(
    snapshot.instancesOn(at(snapshot, 'compute-10')).map(({ name }) => name),
    ['web-1'],
  );
  assert.equal(snapshot.instancesCalled('web-1')[0]?.host, 'compute-10');
  assert.deepEqual([...snapshot.members('web').keys()], [at(snapshot, 'compute-10')]);
  snapshot.moveInstance('id-unheard-of', 'compute-1');
  snapshot.moveInstance('id-web-2', 'a new host');
  assert.equal(snapshot.instance('id-web-2'), undefined);
  assert.equal(freeGb(snapshot, 'compute-2'), 64);
});

test('instances are found by id and by name, which need not be unique', () => {
  const twins = [
    makeInstance('twin', 'compute-1', GB),
    makeInstance('twin', 'compute-2', GB, { id: 'other' }),
  ];
  const snapshot = new Snapshot({ ...inventory, instances: twins });
  assert.deepEqual(
    snapshot.instancesCalled('twin').map(({ id }) => id),
    ['id-twin', 'other'],
  );
  assert.deepEqual(
    snapshot.instancesCalled('other').map(({ id }) => id),
    ['other'],
  );
  snapshot.moveInstance('id-twin', 'compute-10');
  assert.deepEqual(
    snapshot
      .instancesCalled('twin')
      .map(({ host }) => host)
      .sort(),
    ['compute-10', 'compute-2'],
  );
});

test('a copy goes its own way', () => {
  const snapshot = new Snapshot(inventory);
  const copy = snapshot.copy();
  copy.moveInstance('id-web-1', 'compute-1');
  copy.setStanding('compute-1', 'down');
  assert.equal(freeGb(snapshot, 'compute-2'), 52);
  assert.equal(snapshot.hosts[0]?.standing, 'in-service');
});
