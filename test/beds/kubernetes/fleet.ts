/** Nodes and what runs on them, for tests on the bed. */
import { kubectl } from './bed.ts';

const HOSTNAME = 'kubernetes.io/hostname';

/** A node of which kwok says that it is Ready. */
export function newNode(name: string, labels: Readonly<Record<string, string>> = {}): object {
  const sizes = { cpu: '16', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { [HOSTNAME]: name, ...labels } },
    status: { allocatable: sizes, capacity: sizes },
  };
}

/** Takes away what tests have made, and what those that failed have left. */
export async function clear(): Promise<void> {
  const all = ['--all', '--ignore-not-found', '--wait'];
  await kubectl('delete', 'deployments,statefulsets,daemonsets,poddisruptionbudgets', ...all);
  await kubectl('delete', 'pods', ...all, '--now');
  for (const kind of ['nmr', 'cmr']) await release(kind);
  await kubectl('delete', 'nmr,cmr,nwl,cwl,nodes', ...all);
}

/** Finalizers of controllers that have ended would hold their deletion for ever. */
async function release(kind: string): Promise<void> {
  const names = (await kubectl('get', kind, '-o', 'name')).split('\n').filter((name) => name !== '');
  for (const name of names) {
    await kubectl('patch', name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  }
}
