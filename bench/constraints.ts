/** What it costs a session that projects of its site ask for something, however little comes of it. */
import { table } from '../src/cli/table.ts';
import { connectTemporal, temporalSettings } from '../src/client.ts';
import { ConstraintStore } from '../src/constraint-store.ts';
import type { ConstraintMessage } from '../src/core/constraints.ts';
import { instanceId } from '../src/simulator/datacentre.ts';
import type { Bed } from './bed.ts';
import { haulout, sessionInput, type Contender } from './contenders.ts';
import { measureRun, type RunFigures } from './measure.ts';
import { rounded, type Section } from './section.ts';
import type { SessionShape } from './shape.ts';
import { fleetOf, hostNames, SITE, startSite } from './site.ts';

const SITE_HOSTS = 1_000;
const MEMBERS_OF_A_GROUP = 4;
/** A session over a part of the site. */
const SHAPE: SessionShape = { hosts: 50, instancesPerHost: 10, window: 10, movesAtOnce: 2 };
const WHOLE_SITE: SessionShape = { ...SHAPE, hosts: SITE_HOSTS };
const INSTANCES = SITE_HOSTS * SHAPE.instancesPerHost;

export async function measureConstraints(bed: Bed, say: (line: string) => void): Promise<Section> {
  const runs: { constraints: number; putSeconds: number; run: RunFigures }[] = [];
  for (const constraints of [0, INSTANCES]) {
    say(`constraints: ${constraints} instances with some`);
    const messages = messagesFor(constraints);
    let putSeconds = 0;
    const contender = onSite(async (env) => {
      putSeconds = await putAll(env, messages);
    });
    const run = await measureRun(bed, contender, SHAPE);
    runs.push({ constraints, putSeconds, run });
  }
  const rows = runs.map(({ constraints, putSeconds, run }) => [
    String(constraints),
    rounded(putSeconds),
    rounded(run.seconds),
    rounded(run.cpuSeconds.worker ?? NaN),
    rounded(run.cpuSeconds.server ?? NaN),
    String(run.workerPeakRssMb ?? ''),
  ]);
  const heads = ['instances', 'put in s', 'session s', 'worker CPU s', 'server CPU s', 'peak RSS MiB'];
  const { hosts, window } = SHAPE;
  return {
    figures: runs,
    lines: [
      `${hosts} of ${SITE_HOSTS} hosts, ${window} at once; ${INSTANCES} instances, with constraints or without`,
      ...table(heads, rows, heads),
    ],
  };
}

/** A session on a large site that was prepared before, with a worker that knows nothing of that yet. */
const onSite = (prepare: (env: NodeJS.ProcessEnv) => Promise<void>): Contender => ({
  ...haulout,
  input: (shape) => ({ ...sessionInput(shape), hosts: hostNames(WHOLE_SITE).slice(0, shape.hosts) }),
  start: async (bed, { env }) => {
    const site = await startSite(bed, fleetOf(WHOLE_SITE), env);
    const first = await bed.startWorker('src/worker.ts', site.env);
    await prepare(env);
    await first.stop();
    return { simulator: site.simulator, worker: await bed.startWorker('src/worker.ts', site.env) };
  },
});

/** Each instance and its group; nothing of it limits the session. */
function messagesFor(instances: number): ConstraintMessage[] {
  const project = 'bench';
  const groups = instances / MEMBERS_OF_A_GROUP;
  return [
    ...Array.from({ length: groups }, (_, index): ConstraintMessage => {
      const limits = { antiAffinity: false, maxInstancesPerHost: 0, maxImpactedMembers: MEMBERS_OF_A_GROUP };
      const value = {
        group: `group-${index}`,
        project,
        ...limits,
        recoverySeconds: 0,
        resourceMitigation: true,
      };
      return { kind: 'group', value };
    }),
    ...Array.from({ length: instances }, (_, index): ConstraintMessage => {
      const times = { maxInterruptionSeconds: 120, leadSeconds: 120 };
      const value = { instance: instanceId(index + 1), project, group: `group-${index % groups}`, ...times };
      return {
        kind: 'instance',
        value: { ...value, migrationType: 'LIVE_MIGRATE', resourceMitigation: true },
      };
    }),
  ];
}

async function putAll(env: NodeJS.ProcessEnv, messages: readonly ConstraintMessage[]): Promise<number> {
  const { client, connection } = await connectTemporal(temporalSettings(env));
  const startedAt = performance.now();
  await new ConstraintStore(client, SITE).putAll(messages);
  await connection.close();
  return (performance.now() - startedAt) / 1000;
}
