import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applyConstraints, constraintOf } from '../../src/core/apply-constraints.ts';
import type { GroupConstraint } from '../../src/core/constraints.ts';
import type { Group } from '../../src/core/inventory.ts';
import { constraintsOf, groupConstraintOf, instanceConstraintOf } from '../support/constraints.ts';
import { GB, makeGroup, makeHost, makeInstance } from './planning/fleet.ts';

const SITE = {
  hosts: [makeHost('c-1')],
  instances: [makeInstance('a', 'c-1', GB), makeInstance('b', 'c-1', GB, { groups: ['db'] })],
  groups: [makeGroup('db', 'none')],
};

test('without constraints the inventory is as it was', () => {
  const { instances, groups } = applyConstraints(SITE, { instances: new Map(), groups: new Map() });
  assert.equal(instances, SITE.instances);
  assert.equal(groups, SITE.groups);
});

test('a group that the platform does not know is added, with the members that name it', () => {
  const constraints = constraintsOf(
    { group: 'vnf', name: 'firewalls', antiAffinity: true, maxImpactedMembers: 2, recoverySeconds: 60 },
    ['id-a', 'id-b', 'id-gone'],
  );
  const { instances, groups } = applyConstraints(SITE, constraints);
  assert.deepEqual(
    instances.map((instance) => instance.groups),
    [['vnf'], ['db', 'vnf']],
  );
  assert.deepEqual(groups, [
    makeGroup('db', 'none'),
    {
      id: 'vnf',
      name: 'firewalls',
      policy: 'anti-affinity',
      maxPerHost: 1,
      maxImpacted: 2,
      recoverySeconds: 60,
    },
  ]);
});

test('an instance is in a group once, also where the platform has it there', () => {
  const { instances } = applyConstraints(SITE, constraintsOf({ group: 'db' }, ['id-b']));
  assert.equal(instances[1], SITE.instances[1]);
});

describe('what a project has said itself', () => {
  const mine = { project: 'red', fromProject: true as const };
  const site = {
    hosts: SITE.hosts,
    instances: [
      makeInstance('a', 'c-1', GB, { project: 'red', groups: ['red-db'] }),
      makeInstance('b', 'c-1', GB, { project: 'blue', groups: ['blue-db'] }),
    ],
    groups: [makeGroup('red-db', 'none'), makeGroup('blue-db', 'none')],
  };
  const said = {
    instances: new Map(
      ['id-a', 'id-b'].map((id) => [id, instanceConstraintOf(id, { ...mine, group: 'vnf' })]),
    ),
    groups: new Map(
      ['red-db', 'blue-db', 'vnf'].map((id) => [
        id,
        groupConstraintOf(id, { ...mine, maxImpactedMembers: 1 }),
      ]),
    ),
  };

  test('counts for its instances and their groups alone', () => {
    const { instances, groups } = applyConstraints(site, said);
    assert.deepEqual(
      instances.map((instance) => instance.groups),
      [['red-db', 'vnf'], ['blue-db']],
    );
    assert.deepEqual(
      groups.map(({ id, maxImpacted }) => [id, maxImpacted]),
      [
        ['red-db', 1],
        ['blue-db', undefined],
        ['vnf', 1],
      ],
    );
    assert.deepEqual(
      site.instances.map((instance) => constraintOf(instance, said)?.instance),
      ['id-a', undefined],
    );
  });

  test('does not let the instances of others into its group', () => {
    const theirs = instanceConstraintOf('id-b', { project: 'blue', fromProject: true, group: 'vnf' });
    const { instances } = applyConstraints(site, {
      ...said,
      instances: new Map([...said.instances, ['id-b', theirs]]),
    });
    assert.deepEqual(instances[1]?.groups, ['blue-db']);
  });

  test('counts where the platform knows no owners, and so does what an operator has said of any', () => {
    const unowned = site.instances.map(({ project: _, ...instance }) => instance);
    assert.ok(unowned.every((instance) => constraintOf(instance, said) !== undefined));
    const byOperator = new Map(['id-a', 'id-b'].map((id) => [id, instanceConstraintOf(id)]));
    assert.ok(site.instances.every((instance) => constraintOf(instance, { instances: byOperator })));
  });
});

describe('a group that the platform knows is tightened:', () => {
  const cases: [string, Partial<Group>, Partial<GroupConstraint>, Partial<Group>][] = [
    ['no limit stays none', {}, { maxImpactedMembers: 3 }, { maxImpacted: 3 }],
    ['anti-affinity', {}, { antiAffinity: true }, { policy: 'anti-affinity', maxPerHost: 1 }],
    [
      'anti-affinity is one on a host, whatever else is said',
      { policy: 'anti-affinity', maxPerHost: 4 },
      { antiAffinity: true, maxInstancesPerHost: 3 },
      { policy: 'anti-affinity', maxPerHost: 1 },
    ],
    ['the lower limit of a host', { maxPerHost: 4 }, { maxInstancesPerHost: 3 }, { maxPerHost: 3 }],
    ["the platform's own lower limit", { maxPerHost: 2 }, { maxInstancesPerHost: 3 }, { maxPerHost: 2 }],
    ['the lower number of impacted', { maxImpacted: 1 }, { maxImpactedMembers: 3 }, { maxImpacted: 1 }],
    [
      'the longer recovery',
      { recoverySeconds: 90 },
      { recoverySeconds: 60 },
      { recoverySeconds: 90, maxImpacted: 100 },
    ],
    [
      'affinity stays affinity',
      { policy: 'affinity' },
      { antiAffinity: true },
      { policy: 'affinity', maxPerHost: 1 },
    ],
  ];
  for (const [name, platform, asked, expected] of cases) {
    test(name, () => {
      const group: Group = { ...makeGroup('db', 'none'), ...platform };
      const { groups } = applyConstraints(
        { ...SITE, groups: [group] },
        constraintsOf({ group: 'db', ...asked }, []),
      );
      assert.deepEqual(groups, [{ maxImpacted: 100, ...group, ...expected }]);
    });
  }
});
