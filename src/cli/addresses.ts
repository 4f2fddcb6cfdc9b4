/** Where the parts of a stack are, and how to reach them from another terminal. */
import path from 'node:path';
import type { Stack } from '../devstack/stack.ts';
import { MAINTENANCE_QUEUE, QUERIES, SIGNALS, WORKFLOWS } from '../names.ts';

/** Where the Temporal CLI looks for a server when nothing tells it. */
const USUAL_ADDRESS = /^(127\.0\.0\.1|localhost):7233$/;

export interface Addresses {
  temporal: string;
  namespace: string;
  webUi?: string;
  /** The Temporal CLI that runs the dev server. */
  cli?: string;
  simulator: string;
  /** Where journal, configuration and logs are. */
  directory: string;
}

export const addressesOf = ({ server, simulator, directory }: Stack): Addresses => ({
  temporal: server.address,
  namespace: server.settings.namespace,
  ...(server.own && { webUi: server.own.webUi, cli: server.own.program }),
  simulator: simulator.url,
  directory: path.relative('', directory),
});

/** Where everything is, and lines to copy; `env` is that of the shell they are copied to. */
export function renderAddresses(found: Addresses, env: NodeJS.ProcessEnv): string[] {
  return [
    `Temporal   ${found.temporal}${found.webUi === undefined ? '' : `, Web UI ${found.webUi}`}`,
    `Simulator  ${found.simulator}`,
    `Files      ${found.directory}: journal.jsonl, haulout.yaml, worker.log and more`,
    '',
    'In another terminal:',
    ...exportLines(found, env).map((line) => `  ${line}`),
    ...COPY.map((line) => `  ${line}`),
    'or the same with: npm run haulout -- --help',
  ];
}

const EXAMPLE = 'rack-12';

const COPY = [
  `temporal workflow start --type ${WORKFLOWS.maintenanceSession} --task-queue ${MAINTENANCE_QUEUE} --workflow-id ${EXAMPLE} --input-file examples/${EXAMPLE}.json`,
  `temporal workflow query -w ${EXAMPLE} --type ${QUERIES.progress}`,
  `temporal workflow signal -w ${EXAMPLE} --name ${SIGNALS.pause}`,
  `temporal workflow signal -w ${EXAMPLE} --name ${SIGNALS.continue}`,
  `temporal workflow signal -w ${EXAMPLE} --name ${SIGNALS.cancel} --input '{"mode":"rollback","reason":"not today"}'`,
];

/** What that shell lacks to reach the stack with the Temporal CLI. */
function exportLines({ temporal, cli }: Addresses, env: NodeJS.ProcessEnv): string[] {
  const lines: string[] = [];
  const directory = cli === undefined ? undefined : path.dirname(cli);
  if (directory !== undefined && !(env.PATH ?? '').split(path.delimiter).includes(directory)) {
    lines.push(`export PATH="$PATH:${directory}"`);
  }
  const reached =
    env.TEMPORAL_ADDRESS === undefined ? USUAL_ADDRESS.test(temporal) : env.TEMPORAL_ADDRESS === temporal;
  if (!reached) lines.push(`export TEMPORAL_ADDRESS=${temporal}`);
  return lines;
}
