/** What a session's actions mean on this worker, and what is wrong with them, before any is run. */
import { z } from 'zod';
import type { ActionsConfig } from '../../src/config.ts';
import type { ResolvedAction } from '../../src/core/host-run.ts';
import type { SessionSpec } from '../../src/core/session-spec.ts';
import { metadataProblems } from './action.ts';
import { commandMetadata } from './command.ts';
import { webhookMetadata } from './webhook.ts';

type WantedAction = SessionSpec['actions'][number];

const LONGEST_WAIT_SECONDS = 30 * 86_400;

/** What the built-in actions may be told. */
const METADATA: Readonly<Record<string, z.ZodType>> = {
  approval: z.record(z.string(), z.unknown()),
  command: commandMetadata,
  wait: z.strictObject({
    seconds: z
      .number('must be a number of seconds')
      .min(0)
      .max(LONGEST_WAIT_SECONDS, 'must be 30 days at most'),
  }),
  webhook: webhookMetadata,
};

/** Looks up each action; `problems` names the field of each that cannot be run as it is. */
export function resolveActions(
  actions: readonly WantedAction[],
  config: ActionsConfig,
): { actions: ResolvedAction[]; problems: string[] } {
  const problems: string[] = [];
  const resolved = actions.map((action, index): ResolvedAction => {
    const { activities } = config;
    const external = Object.hasOwn(activities, action.plugin) ? activities[action.plugin] : undefined;
    if (external) return { ...action, external };
    problems.push(...problemsOf(action, config).map((problem) => `actions.${index}.${problem}`));
    return action;
  });
  return { actions: resolved, problems };
}

function problemsOf({ plugin, metadata = {} }: WantedAction, config: ActionsConfig): string[] {
  const schema = Object.hasOwn(METADATA, plugin) ? METADATA[plugin] : undefined;
  if (!schema) {
    const known = [...Object.keys(METADATA), ...Object.keys(config.activities)].sort().join(', ');
    return [`plugin: there is no action "${plugin}"; known are ${known}`];
  }
  const parsed = schema.safeParse(metadata);
  if (parsed.error) return metadataProblems(parsed.error);
  if (plugin === 'webhook') return choiceProblems('endpoint', metadata['endpoint'], config.webhook.endpoints);
  if (plugin === 'command') return choiceProblems('command', metadata['command'], config.command.allow);
  return [];
}

function choiceProblems(key: string, value: unknown, choices: Readonly<Record<string, unknown>>): string[] {
  if (typeof value === 'string' && Object.hasOwn(choices, value)) return [];
  const known = Object.keys(choices).sort().join(', ') || 'none';
  return [
    `metadata.${key}: ${JSON.stringify(value)} is not in the configuration of the worker; it has ${known}`,
  ];
}
