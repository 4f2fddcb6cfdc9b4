/** The built-in actions that do I/O; `wait` and `approval` are done by workflows. */
import type { ActionsConfig } from '../../src/config.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { Action } from './action.ts';
import { createCommandAction } from './command.ts';
import { createWebhookAction } from './webhook.ts';

/** Runs the action that `input.plugin` names. Throws ActionNotAllowed when it is none of these. */
export function createActionRunner(config: ActionsConfig): Action {
  const actions = new Map([
    ['command', createCommandAction(config.command)],
    ['webhook', createWebhookAction(config.webhook)],
  ]);
  return async (input, context) => {
    const action = actions.get(input.plugin);
    if (!action) {
      throw new MaintenanceError(
        'ActionNotAllowed',
        `there is no action "${input.plugin}", built in or configured`,
      );
    }
    await action(input, context);
  };
}
