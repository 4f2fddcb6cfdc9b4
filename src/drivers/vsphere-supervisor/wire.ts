/** What vCenter's REST API answers, as far as it is read here. */
import { z } from 'zod';

/** `/rest` answers `{value: …}`; `/api`, which follows it, leaves that off. */
const answered = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>> =>
  z.preprocess(
    (body) => (typeof body === 'object' && body !== null && 'value' in body ? body.value : body),
    schema,
  );

/** The id of a session, or of a task. */
export const identifier = answered(z.string().min(1));

/** `com.vmware.cis.task.info`. */
export const taskInfo = answered(
  z.object({
    status: z.enum(['PENDING', 'RUNNING', 'BLOCKED', 'SUCCEEDED', 'FAILED']),
    progress: z.object({ completed: z.number(), total: z.number() }).nullish(),
    error: z.unknown().optional(),
  }),
);
export type TaskInfo = z.output<typeof taskInfo>;

const ERROR_TYPE = /^com\.vmware\.vapi\.std\.errors\.(\w+)$/;

/** What kind of error an answer is: the end of its type, such as `not_found`. */
export const errorKind = z
  .object({ type: z.string().regex(ERROR_TYPE) })
  .transform(({ type }) => type.replace(ERROR_TYPE, '$1'));

/** What an error answer says to people; undefined if nothing. */
export function wordsInText(text: string): string | undefined {
  try {
    return wordsIn(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What an error says to people, however deep in it: that of a task has no declared form. Undefined if nothing. */
export function wordsIn(error: unknown): string | undefined {
  const messages = new Set(messagesIn(error));
  return messages.size === 0 ? undefined : [...messages].join('; ');
}

function messagesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('default_message' in value && typeof value.default_message === 'string') return [value.default_message];
  return Object.values(value).flatMap(messagesIn);
}
