/** Workflow code of a test: something that announces, and is of no other use. */
import { announce } from '../../workflows/notifications.ts';
import type { NoticeEvent } from '../../src/core/notice.ts';

/** Announces these events one after another; resolves to the sinks of each. */
export async function announcer(events: NoticeEvent[]): Promise<string[][]> {
  const told: string[][] = [];
  for (const event of events) told.push(await announce(event));
  return told;
}
