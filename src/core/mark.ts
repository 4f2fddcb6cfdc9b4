/**
 * The mark we leave on a host when we cordon it, and on an instance when we stop it. It names the session, so that
 * whoever finds it knows whose it is, and only what carries exactly our mark is undone by us.
 */
export interface Mark {
  /** Workflow id of the session. */
  session: string;
  host: string;
}

const PREFIX = 'haulout';

/** `haulout session=rack-12 host=compute-3`; ids with blanks or `%` are percent-encoded. */
export const formatMark = (mark: Mark): string =>
  `${PREFIX} session=${encode(mark.session)} host=${encode(mark.host)}`;

/** The mark in a reason text, or undefined when the text is somebody else's. */
export function parseMark(text: string | undefined): Mark | undefined {
  const match = text?.match(/^haulout session=(\S+) host=(\S+)$/);
  if (!match?.[1] || !match[2]) return undefined;
  try {
    const mark = { session: decodeURIComponent(match[1]), host: decodeURIComponent(match[2]) };
    // It is taken off by the text that we would write.
    return formatMark(mark) === text ? mark : undefined;
  } catch {
    return undefined;
  }
}

const encode = (text: string): string => text.replace(/[\s%]/g, (char) => encodeURIComponent(char));
