/** What the exit codes of `haulout` mean. Scripts rely on them: a change is a breaking change. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  failed: 3,
  cancelled: 4,
  notFound: 5,
  refused: 6,
  noAnswer: 7,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANINGS: Record<keyof typeof EXIT, string> = {
  ok: 'done; for watch and report also: the session goes on',
  error: 'anything that has no code of its own',
  usage: 'wrong options, or an input that is not valid',
  failed: 'the session has failed or waits for an operator; for plan: something would block it',
  cancelled: 'the session was cancelled',
  notFound: 'there is no session of this id',
  refused: 'refused: the session does not take the command as it stands, or the id is in use',
  noAnswer: 'no Temporal server, or no worker, answers',
};

/** For --help. */
export const exitCodeHelp = [
  'Exit codes:',
  ...Object.entries(EXIT).map(([name, code]) => `  ${code}  ${MEANINGS[name as keyof typeof EXIT]}`),
].join('\n');
