/** How OpenStack's services say what is wrong: `{"conflictingRequest": {"message"}}`, `{"errors": [{"detail"}]}`. */
import { z } from 'zod';

const said = z.union([
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.tuple([z.object({ detail: z.string() })], z.unknown()).transform(([{ detail }]) => detail),
]);

/** The words of an error answer, and the name that Nova gives to its kind; undefined when it is none of theirs. */
export function wordsIn(text: string): { kind: string; words: string } | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = z.record(z.string(), said).safeParse(json);
  const [first] = Object.entries(parsed.data ?? {});
  return first && { kind: first[0], words: first[1] };
}
