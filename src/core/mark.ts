/**
 * The mark we leave on a host when we cordon it, and on an instance when we stop it. It names the session, so that
 * whoever finds it knows whose it is, and only what carries exactly our mark is undone by us.
 */
export interface Mark extends SessionMark {
  host: string;
}

/** The mark on what is a session's and no single host's. */
export interface SessionMark {
  /** Workflow id of the session. */
  session: string;
}

const PREFIX = 'haulout';

/** `haulout session=rack-12 host=compute-3`; ids with blanks or `%` are percent-encoded. */
export const formatMark = (mark: Mark): string =>
  `${PREFIX} session=${encode(mark.session)} host=${encode(mark.host)}`;

/** `haulout session=rack-12`. */
export const formatSessionMark = ({ session }: SessionMark): string => `${PREFIX} session=${encode(session)}`;

export function parseSessionMark(text: string | undefined): SessionMark | undefined {
  const encoded = text?.match(/^haulout session=(\S+)$/)?.[1];
  return encoded === undefined ? undefined : whenOurs({ session: encoded }, formatSessionMark, text);
}

/** The mark in a reason text, or undefined when the text is somebody else's. */
export function parseMark(text: string | undefined): Mark | undefined {
  const match = text?.match(/^haulout session=(\S+) host=(\S+)$/);
  if (!match?.[1] || !match[2]) return undefined;
  return whenOurs({ session: match[1], host: match[2] }, formatMark, text);
}

/** The mark with its parts decoded, if we would write it so: it is taken off by that text. */
function whenOurs<M extends Record<keyof M, string>>(
  encoded: M,
  format: (mark: M) => string,
  text: string | undefined,
): M | undefined {
  try {
    const entries = Object.entries<string>(encoded).map(([key, value]) => [key, decodeURIComponent(value)]);
    const mark = Object.fromEntries(entries) as M;
    return format(mark) === text ? mark : undefined;
  } catch {
    return undefined;
  }
}

const encode = (text: string): string => text.replace(/[\s%]/g, (char) => encodeURIComponent(char));
