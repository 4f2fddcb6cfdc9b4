/** Serves the bare workflow with the same settings as a worker of Haulout, as a process of its own. */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import { temporalSettings } from '../../src/client.ts';
import { BARE_QUEUE, BARE_SITE_QUEUE, type NoOp } from './names.ts';

const { connectionOptions, namespace } = temporalSettings();
Runtime.install({
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'WARN' }) } },
});
const connection = await NativeConnection.connect(connectionOptions);
const activities: NoOp & Record<string, () => Promise<void>> = { noOp: async () => undefined };
const common = { connection, namespace, activities };
const workers = await Promise.all([
  Worker.create({ ...common, taskQueue: BARE_SITE_QUEUE, maxConcurrentActivityTaskExecutions: 200 }),
  Worker.create({
    ...common,
    taskQueue: BARE_QUEUE,
    workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
    stickyQueueScheduleToStartTimeout: '1s',
  }),
]);
const running = Promise.all(workers.map((worker) => worker.run()));
process.stdout.write('worker ready\n');
await running;
await connection.close();
