/**
 * What a session costs on Temporal alone: a workflow with one child a host and the same window of hosts in flight, whose
 * activities do nothing. They are as many as those of a session, in the same order, and as many at one time.
 */
import { condition, executeChild, proxyActivities } from '@temporalio/workflow';
import type { SessionShape } from '../shape.ts';
import type { NoOp } from './names.ts';
import { BARE_SITE_QUEUE } from './names.ts';

/** The heartbeat timeout is that of a session: it finds tasks that a busy server loses on the way to the worker. */
const LIMITS = { startToCloseTimeout: '5m', heartbeatTimeout: '4s' } as const;
const { noOp: own } = proxyActivities<NoOp>(LIMITS);
const { noOp: onSite } = proxyActivities<NoOp>({ ...LIMITS, taskQueue: BARE_SITE_QUEUE });

/** As a session: looked up, resolved and planned, then hosts are chosen whenever there is room in the window. */
export async function bareSession({ hosts, window, ...shape }: SessionShape): Promise<void> {
  await own();
  await onSite();
  await onSite();
  let pending = hosts;
  let out = 0;
  let ended = 0;
  while (ended < hosts) {
    const seen = ended;
    const slots = Math.min(window - out, pending);
    if (slots > 0) await onSite();
    for (let slot = 0; slot < slots; slot += 1) {
      pending -= 1;
      out += 1;
      const child = executeChild(bareHost, { args: [shape], workflowId: `bare/${hosts - pending}` });
      void child.then(() => {
        out -= 1;
        ended += 1;
      });
    }
    await condition(() => ended > seen);
  }
}

/** As a host: precheck, cordon, the moves, enter, prove empty, exit, uncordon, verify. */
export async function bareHost({
  instancesPerHost,
  movesAtOnce,
}: Pick<SessionShape, 'instancesPerHost' | 'movesAtOnce'>): Promise<void> {
  for (let step = 0; step < 2; step += 1) await onSite();
  let left = instancesPerHost;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await onSite();
  };
  await Promise.all(Array.from({ length: movesAtOnce }, lane));
  for (let step = 0; step < 5; step += 1) await onSite();
}
