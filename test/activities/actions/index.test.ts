import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createActionRunner } from '../../../activities/actions/index.ts';
import { actionContext, actionInput } from './context.ts';

const runAction = createActionRunner({
  command: { allow: { yes: { run: ['true'] }, no: { run: ['false'] } } },
  webhook: { endpoints: {} },
  activities: {},
});

test('the plugin of the input decides which action runs', async () => {
  await runAction(actionInput('command', { command: 'yes' }), actionContext());
  await assert.rejects(runAction(actionInput('command', { command: 'no' }), actionContext()), {
    code: 'ActionFailed',
  });
  await assert.rejects(runAction(actionInput('webhook', { endpoint: 'it' }), actionContext()), {
    code: 'ActionNotAllowed',
    message: /webhook/,
  });
});

test('an action that is neither built in nor configured is not allowed', async () => {
  await assert.rejects(runAction(actionInput('reboot', {}), actionContext()), {
    code: 'ActionNotAllowed',
    message: /"reboot"/,
  });
});
