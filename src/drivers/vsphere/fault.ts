/** Faults of vCenter in terms of the catalogue. */
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { Fault } from './wire.ts';

/** By type of the fault, from the vSphere Web Services API. What is not here is PlatformRefused. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  NotAuthenticated: 'NotAuthorized',
  InvalidLogin: 'NotAuthorized',
  InvalidLocale: 'NotAuthorized',
  NoPermission: 'NotAuthorized',
  RestrictedVersion: 'NotAuthorized',
  ManagedObjectNotFound: 'NotFound',
  TaskInProgress: 'PlatformBusy',
  ResourceInUse: 'PlatformBusy',
  ConcurrentAccess: 'PlatformBusy',
  TooManyConcurrentNativeClients: 'PlatformBusy',
  NoCompatibleHost: 'NoTarget',
  NoCompatibleHostWithAccessToDevice: 'NoTarget',
  InsufficientResourcesFault: 'NoTarget',
  InsufficientHostCapacityFault: 'NoTarget',
  InsufficientHostCpuCapacityFault: 'NoTarget',
  InsufficientHostMemoryCapacityFault: 'NoTarget',
  InsufficientCpuResourcesFault: 'NoTarget',
  InsufficientMemoryResourcesFault: 'NoTarget',
  InsufficientFailoverResourcesFault: 'NoTarget',
  HostNotConnected: 'PlatformError',
  HostNotReachable: 'PlatformError',
  HostCommunication: 'PlatformError',
  HostConnectFault: 'PlatformError',
  SystemError: 'PlatformError',
  Timedout: 'PlatformError',
  NotSupported: 'Unsupported',
  NotImplemented: 'Unsupported',
  MethodNotFound: 'Unsupported',
};

export const codeOf = ({ _typeName: type }: Fault): ErrorCode => CODES[type] ?? 'PlatformRefused';

/** The fault's type and its own words: `NoPermission (Host.Config.Maintenance): Permission was denied`. */
export function wordsOf(found: Fault, localizedMessage?: string): string {
  const { _typeName: type, privilegeId, faultMessage, faultstring } = found;
  const words = [localizedMessage, faultstring, ...faultMessage.map(({ message }) => message)].filter(
    (text) => text !== undefined && text !== '' && text !== type,
  );
  const what = privilegeId === undefined ? type : `${type} (${privilegeId})`;
  return words.length === 0 ? what : `${what}: ${[...new Set(words)].join('; ')}`;
}

/** @param doing what was asked: `RelocateVM_Task of vm-12` */
export function toError(found: Fault, doing: string, localizedMessage?: string): MaintenanceError {
  const vendor = wordsOf(found, localizedMessage);
  return new MaintenanceError(codeOf(found), `${doing}: ${vendor}`, { vendor });
}

/** Whether an error is a fault of this very type. */
export const isFault = (error: unknown, type: string): boolean =>
  error instanceof MaintenanceError && error.vendor?.split(/\W/, 1)[0] === type;

/** It was not done, and will not be. */
export const isRefusal = (error: unknown): error is MaintenanceError =>
  error instanceof MaintenanceError && !error.retryable;

/** What another error is to keep of this one. */
export const vendorOf = ({ vendor }: MaintenanceError): { vendor?: string } =>
  vendor === undefined ? {} : { vendor };
