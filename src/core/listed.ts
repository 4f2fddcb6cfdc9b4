/** Lists in messages: the first few by name, the rest as a count. Pure. */

/** `web-1, web-2 and 3 more`. */
export function listed(names: readonly string[], shown: number, separator = ', '): string {
  const named = names.slice(0, shown).join(separator);
  return names.length > shown ? `${named} and ${names.length - shown} more` : named;
}

/** The names that each reason keeps, in the order in which the reasons first come. */
export function namesByReason(kept: readonly { name: string; reason: string }[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, reason } of kept) found.set(reason, [...(found.get(reason) ?? []), name]);
  return found;
}

/** One line of at most so many characters; what is cut off shows as `…`. */
export function oneLine(text: string, chars: number): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= chars ? line : `${line.slice(0, chars - 1)}…`;
}
