import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toError } from '../../../src/drivers/vsphere/fault.ts';
import { formatTicket, parseTicket } from '../../../src/drivers/vsphere/ticket.ts';
import { fault } from '../../../src/drivers/vsphere/wire.ts';

describe('a fault', () => {
  for (const [type, code, retryable] of [
    ['NoPermission', 'NotAuthorized', false],
    ['ManagedObjectNotFound', 'NotFound', false],
    ['TaskInProgress', 'PlatformBusy', true],
    ['NoCompatibleHost', 'NoTarget', false],
    ['HostNotConnected', 'PlatformError', true],
    ['InvalidState', 'PlatformRefused', false],
    ['SomethingNew', 'PlatformRefused', false],
  ] as const) {
    test(`${type} is ${code}`, () => {
      const error = toError(fault.parse({ _typeName: type }), 'RelocateVM_Task of vm-1');
      assert.deepEqual([error.code, error.retryable, error.vendor], [code, retryable, type]);
    });
  }

  test('keeps what vCenter says, each thing once', () => {
    const found = fault.parse({
      _typeName: 'NoPermission',
      privilegeId: 'Host.Config.Maintenance',
      faultstring: 'Permission to perform this operation was denied.',
      faultMessage: [{ key: 'k', message: 'Ask your administrator.' }],
    });
    const { message } = toError(
      found,
      'EnterMaintenanceMode_Task of host-1',
      'Permission to perform this operation was denied.',
    );
    assert.equal(
      message,
      'EnterMaintenanceMode_Task of host-1: NoPermission (Host.Config.Maintenance): ' +
        'Permission to perform this operation was denied.; Ask your administrator.',
    );
  });
});

describe('how far a cold move is', () => {
  test('can be read from what was written', () => {
    const ticket = { from: 'host-1', to: 'host-9', phase: 'over', task: 'task-77' } as const;
    assert.deepEqual(parseTicket(formatTicket(ticket)), ticket);
  });

  for (const text of [
    undefined,
    '',
    'haulout session=s host=h',
    'haulout cold-move from=host-1 to=host-9 phase=sideways task=t',
    'haulout cold-move from=host-1 to=host-9 phase=over',
    'haulout cold-move to=host-9 phase=over task=t',
    ' haulout cold-move from=host-1 to=host-9 phase=over task=t',
  ]) {
    test(`is not read from ${JSON.stringify(text)}`, () => assert.equal(parseTicket(text), undefined));
  }
});
