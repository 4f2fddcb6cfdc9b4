/** Projects as a session sees them: they get its notices at a webhook, and answer the dialogues, or do not. */
import type { Client } from '@temporalio/client';
import type { Config } from '../../src/config.ts';
import type { AnswerMessage, AnswerReceipt } from '../../src/core/dialogue.ts';
import type { ScheduledEvent } from '../../src/core/notice.ts';
import { dialogueWorkflowId, UPDATES } from '../../src/names.ts';
import { startReceiver, type Receiver } from '../notifications/receiver.ts';

/** What a project says to a notice; nothing: it is silent. */
export type Opinion = (
  notice: ScheduledEvent,
) => Partial<AnswerMessage> | undefined | Promise<Partial<AnswerMessage> | undefined>;

export const AGREE: Opinion = ({ state }) => ({ state: `ACK_${state}` });
export const REFUSE: Opinion = ({ state }) => ({ state: `NACK_${state}` });
export const SILENT: Opinion = () => undefined;

export interface Tenants {
  /** In the order they came. */
  notices: ScheduledEvent[];
  /** By project; the others agree to everything. */
  opinions: Map<string, Opinion>;
  /** A configuration in which they are told. */
  told(config: Config): Config;
  /** Who answers; before that nobody does. */
  speakThrough(client: Client): void;
  close(): Promise<void>;
}

export async function startTenants(): Promise<Tenants> {
  const notices: ScheduledEvent[] = [];
  const opinions = new Map<string, Opinion>();
  let client: Client | undefined;
  const receiver: Receiver = await startReceiver(async (response, { body }) => {
    const { data, id, time } = JSON.parse(body) as { data: ScheduledEvent; id: string; time: string };
    const notice: ScheduledEvent = { ...data, type: 'maintenance.scheduled', id, at: time };
    notices.push(notice);
    // The answer comes before the notice counts as delivered.
    const opinion = opinions.get(notice.project) ?? AGREE;
    const said = notice.replyAt === undefined ? undefined : await opinion(notice);
    if (client && said) await reply(client, notice, said);
    response.writeHead(204).end();
  });
  return {
    notices,
    opinions,
    told: (config) => ({
      ...config,
      notifications: {
        apiUrl: 'http://127.0.0.1:12347',
        sinks: {
          tenants: {
            kind: 'webhook',
            url: receiver.url,
            events: ['maintenance.scheduled'],
            secret: `whsec_${Buffer.from('a key that only this test has..').toString('base64')}`,
            timeout: '1m',
          },
        },
      },
    }),
    speakThrough: (found) => {
      client = found;
    },
    close: () => receiver.close(),
  };
}

export function reply(
  client: Client,
  { session, project, instance, state }: Pick<ScheduledEvent, 'session' | 'project' | 'instance' | 'state'>,
  said: Partial<AnswerMessage>,
): Promise<AnswerReceipt> {
  return client.workflow
    .getHandle(dialogueWorkflowId(session, project, instance))
    .executeUpdate<AnswerReceipt, [unknown]>(UPDATES.answerNotice, {
      args: [{ state: `ACK_${state}`, ...said }],
    });
}
