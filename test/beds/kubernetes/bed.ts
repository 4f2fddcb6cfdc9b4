/** The cluster that `run.ts` has brought up: how to reach it, and its services one by one. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { bedDirectory } from '../directory.ts';

const run = promisify(execFile);

/** kubectl creates one object after another. */
const CREATED_AT_ONCE = 8;

const LONGEST_OUTPUT = 64 * 1024 * 1024;

export type Service = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';

/** State of the bed: programs, kubeconfig, logs. */
export const BED = bedDirectory('kubernetes');

/** Of somebody who may do everything. */
export const KUBECONFIG = path.join(BED, 'kubeconfig');

/** Of each request that the API server has ended: one JSON text a line. */
export const AUDIT_LOG = path.join(BED, 'log/audit.log');

/** Resolves to what it prints. */
export async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run(path.join(BED, 'bin/kubectl'), ['--kubeconfig', KUBECONFIG, ...args], {
    maxBuffer: LONGEST_OUTPUT,
  });
  return stdout;
}

/** `kubectl apply` of objects, each with apiVersion and kind. */
export async function apply(...objects: object[]): Promise<void> {
  await send('apply', objects);
}

/** The same for objects that are not there yet, however many. */
export async function create(objects: readonly object[]): Promise<void> {
  const parts = Array.from({ length: Math.min(CREATED_AT_ONCE, objects.length) }, (_, part) =>
    objects.filter((__, index) => index % CREATED_AT_ONCE === part),
  );
  await Promise.all(parts.map((part) => send('create', part)));
}

/** Deletes all objects of a collection, such as `/api/v1/nodes?labelSelector=app`, at once. */
export async function deleteAll(collection: string): Promise<void> {
  await kubectl('delete', '--raw', collection);
}

async function send(verb: 'apply' | 'create', objects: readonly object[]): Promise<void> {
  const child = run(path.join(BED, 'bin/kubectl'), ['--kubeconfig', KUBECONFIG, verb, '-f', '-']);
  child.child.stdin?.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await child;
}

/** Stops, kills or starts services; `start` resolves when they answer. */
export async function service(action: 'start' | 'stop' | 'kill', ...names: Service[]): Promise<void> {
  await run('bash', [path.join(import.meta.dirname, 'service.sh'), action, ...names]);
}
