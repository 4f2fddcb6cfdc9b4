/**
 * `npm run bench:lock-controller`: what the lock controller needs for a large cluster, and how soon it answers. Needs the
 * Kubernetes bed up, and a Temporal server at TEMPORAL_ADDRESS.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { table } from '../../src/cli/table.ts';
import { hostWorkflowId } from '../../src/names.ts';
import { create } from '../../test/beds/kubernetes/bed.ts';
import { LockStage } from '../../test/beds/kubernetes/lock-controller-stage.ts';
import { CONTROLLER, isActive, isInactive } from '../../test/beds/kubernetes/lock-witness.ts';
import { callsBy, recorded } from '../../test/beds/kubernetes/witness.ts';
import { fleetOf, hostNames } from '../../test/support/fleets.ts';
import { SITE } from '../../test/support/engine.ts';
import { quantile, rounded } from '../section.ts';
import { peakRssMbOf, rssMbOf } from '../usage.ts';

const NODES = 1_000;
/** Others that have a lock for each node, too. */
const OTHERS = ['ceph', 'tungstenfabric'];
/** Nodes that are asked for, one after another. */
const ASKED = 30;
const INSTANCES = 3;

/** As the API server knows the account of deploy/. */
const ACCOUNT = 'system:serviceaccount:haulout:lock-controller';

interface Figures {
  nodes: number;
  locks: number;
  /** From its start until each node has an active lock. */
  startSeconds: number;
  /** Of the process, after that, and at the most in the whole run. */
  rssMb: number | undefined;
  peakRssMb: number | undefined;
  /** Requests to the API server, for each node that was asked for. */
  callsPerNode: number;
  /** From the host that waits, empty, for its approval to the lock that is inactive. */
  inactiveMs: number[];
  /** From the request that is deleted to the host's first step back. */
  approvedMs: number[];
}

async function measure(): Promise<Figures> {
  const hosts = hostNames(ASKED + 1);
  const asked = hosts.slice(0, ASKED);
  const stage = await LockStage.build(fleetOf(hosts.length, INSTANCES));
  try {
    const rest = Array.from({ length: NODES - ASKED }, (_, index) => `bench-${index + 1}`);
    const nodes = [...asked, ...rest];
    await stage.addNodes(nodes);
    await create(OTHERS.flatMap((controllerName) => nodes.map((node) => lockOf(controllerName, node))));
    const startedAt = Date.now();
    const controller = await stage.startController();
    for (const node of nodes) await stage.untilNode(node, isActive);
    const startSeconds = (Date.now() - startedAt) / 1000;
    const rssMb = await rssMbOf(controller.pid);
    const offset = await recorded();
    const inactiveMs: number[] = [];
    const approvedMs: number[] = [];
    for (const [index, node] of asked.entries()) {
      process.stderr.write(`node ${index + 1} of ${ASKED}\n`);
      await stage.request(`bench-${node}`, node);
      await stage.untilNode(node, isInactive);
      const inactiveAt = Date.now();
      const host = stage.engine.client.workflow.getHandle(hostWorkflowId(SITE, node));
      inactiveMs.push(inactiveAt - (await waitsSince(host)));
      await stage.withdraw(`bench-${node}`);
      const withdrawnAt = Date.now();
      const { time } = await stage.engine.seen(
        (entry) => entry.type === 'host.exiting' && entry.host === node,
      );
      approvedMs.push(Date.parse(time) - withdrawnAt);
      await stage.untilNode(node, isActive);
    }
    return {
      nodes: NODES,
      locks: (OTHERS.length + 1) * NODES,
      startSeconds,
      rssMb,
      peakRssMb: await peakRssMbOf(controller.pid),
      callsPerNode: (await callsBy(offset, ACCOUNT)) / ASKED,
      inactiveMs,
      approvedMs,
    };
  } finally {
    await stage.stop();
  }
}

const lockOf = (controllerName: string, nodeName: string): object => ({
  apiVersion: 'lcm.mirantis.com/v1alpha1',
  kind: 'NodeWorkloadLock',
  metadata: { name: `${controllerName}-${nodeName}` },
  spec: { controllerName, nodeName },
});

/** Epoch milliseconds since which the host waits for its approval: it has set the timer of the deadline. */
async function waitsSince(host: WorkflowHandle): Promise<number> {
  const { events } = await host.fetchHistory();
  const started = (events ?? []).filter(({ timerStartedEventAttributes: timer }) => timer);
  const at = started.at(-1)?.eventTime;
  return Number(at?.seconds ?? 0) * 1000 + (at?.nanos ?? 0) / 1e6;
}

function print({ nodes, locks, startSeconds, rssMb, peakRssMb, callsPerNode, ...times }: Figures): void {
  const share = (ms: readonly number[], of: number): string => `${rounded(quantile(ms, of), 0)} ms`;
  const rows = [
    ['nodes, locks', `${nodes}, ${locks}`],
    [`all locks of ${CONTROLLER} active after`, `${rounded(startSeconds)} s`],
    ['memory then, and at most', `${rssMb ?? '?'} MB, ${peakRssMb ?? '?'} MB`],
    ['API requests for each node', rounded(callsPerNode)],
    [
      'host empty to lock inactive, p50, p95',
      `${share(times.inactiveMs, 0.5)}, ${share(times.inactiveMs, 0.95)}`,
    ],
    [
      'request gone to host on its way, p50, p95',
      `${share(times.approvedMs, 0.5)}, ${share(times.approvedMs, 0.95)}`,
    ],
  ];
  process.stdout.write(`${table(['', 'measured'], rows, ['measured']).join('\n')}\n`);
}

const figures = await measure();
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
else print(figures);
