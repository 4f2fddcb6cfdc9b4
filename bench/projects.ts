/** What a session does that has as many projects to ask as a cloud has, and whether each is told and heard. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { table } from '../src/cli/table.ts';
import type { ScheduledEvent } from '../src/core/notice.ts';
import { startReceiver } from '../test/notifications/receiver.ts';
import { reply } from '../test/support/tenants.ts';
import type { Bed } from './bed.ts';
import { haulout, sessionInput, type Contender } from './contenders.ts';
import { measureRun } from './measure.ts';
import { quantile, rounded, type Section } from './section.ts';
import type { SessionShape } from './shape.ts';
import { fleetOf, startSite } from './site.ts';

/** Each instance is another project's. */
const SHAPE: SessionShape = { hosts: 20, instancesPerHost: 15, window: 4, movesAtOnce: 5 };
const PROJECTS = Array.from({ length: SHAPE.hosts * SHAPE.instancesPerHost }, (_, index) => `p-${index + 1}`);

const SECRET = { BENCH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 'b').toString('base64')}` };

/** Notices that only tell are delivered after the session has ended, too. */
const LAST_NOTICE_MS = 60_000;

/** What a project is told where its one instance moves once. */
const STATES = [
  'MAINTENANCE',
  'PLANNED_MAINTENANCE',
  'INSTANCE_ACTION_DONE',
  'MAINTENANCE_COMPLETE',
] as const;

export async function measureProjects(bed: Bed, say: (line: string) => void): Promise<Section> {
  say(`projects: ${PROJECTS.length} of them`);
  const tenants = await startTenants();
  const run = await measureRun(bed, asking(tenants), SHAPE).finally(() => tenants.close());
  const { notices, answerSeconds } = tenants;
  const missing = PROJECTS.flatMap((project) =>
    STATES.filter((state) => notices.get(keyOf(project, state)) === undefined),
  );
  const twice = [...notices.values()].filter((count) => count > 1);
  const figures = {
    projects: PROJECTS.length,
    seconds: run.seconds,
    notices: [...notices.values()].reduce((sum, count) => sum + count, 0),
    missing: missing.length,
    twice: twice.length,
    answerSeconds: { p50: quantile(answerSeconds, 0.5), p95: quantile(answerSeconds, 0.95) },
    cpuSeconds: run.cpuSeconds,
  };
  const heads = [
    'projects',
    'session s',
    'notices',
    'missing',
    'twice',
    'answer s, p50',
    'p95',
    'worker CPU s',
  ];
  const row = [
    ...[figures.projects, rounded(run.seconds), figures.notices, figures.missing, figures.twice],
    ...[rounded(figures.answerSeconds.p50, 2), rounded(figures.answerSeconds.p95, 2)],
    rounded(run.cpuSeconds.worker ?? NaN),
  ].map(String);
  const { hosts, window } = SHAPE;
  return {
    figures,
    lines: [
      `${hosts} hosts, ${window} at once; each project has one instance, and agrees at once to what it is asked`,
      ...table(heads, [row], heads),
    ],
  };
}

interface Tenants {
  url: string;
  /** How often each project got the notice of each state. */
  notices: ReadonlyMap<string, number>;
  /** From when a notice came to when its answer was taken. */
  answerSeconds: number[];
  speakThrough(client: Client): void;
  /** Resolves when each has got every notice, or is not going to. */
  allTold(): Promise<void>;
  close(): Promise<void>;
}

async function startTenants(): Promise<Tenants> {
  const notices = new Map<string, number>();
  const answerSeconds: number[] = [];
  let client: Client | undefined;
  const receiver = await startReceiver(async (response, { body }) => {
    const { data } = JSON.parse(body) as { data: ScheduledEvent };
    const startedAt = performance.now();
    if (client && data.replyAt !== undefined) {
      await reply(client, data, {});
      answerSeconds.push((performance.now() - startedAt) / 1000);
    }
    const key = keyOf(data.project, data.state);
    notices.set(key, (notices.get(key) ?? 0) + 1);
    response.writeHead(204).end();
  });
  return {
    url: receiver.url,
    notices,
    answerSeconds,
    speakThrough: (found) => {
      client = found;
    },
    allTold: async () => {
      const deadline = Date.now() + LAST_NOTICE_MS;
      while (notices.size < PROJECTS.length * STATES.length && Date.now() < deadline) await sleep(100);
    },
    close: () => receiver.close(),
  };
}

/** The first hosts are asked about before any is empty, which goes by a name of its own. */
const keyOf = (project: string, state: string): string =>
  `${project} ${state === 'PREPARE_MAINTENANCE' ? 'PLANNED_MAINTENANCE' : state}`;

const asking = (tenants: Tenants): Contender => ({
  ...haulout,
  settle: () => tenants.allTold(),
  input: (shape) => ({ ...sessionInput(shape), projects: {} }),
  start: async (bed, { env, client }, shape) => {
    tenants.speakThrough(client);
    const { instances, ...fleet } = fleetOf(shape);
    const sinks = {
      tenants: {
        kind: 'webhook',
        url: tenants.url,
        events: ['maintenance.scheduled'],
        secret: { env: 'BENCH_WEBHOOK_SECRET' },
        timeout: '1m',
      },
    };
    const site = await startSite(bed, { ...fleet, instances: { ...instances, projects: PROJECTS } }, env, {
      notifications: { apiUrl: 'http://127.0.0.1:12347', sinks },
    });
    const worker = await bed.startWorker('src/worker.ts', { ...site.env, ...SECRET });
    return { simulator: site.simulator, worker };
  },
});
