/** Sessions in files, checked before they are sent: a wrong one is refused here, with each problem's path. */
import { readFile } from 'node:fs/promises';
import { describeIssues, sessionSpec, type SessionInput, type SessionSpec } from '../core/session-spec.ts';
import { CliError } from './failure.ts';
import { EXIT } from './exit-codes.ts';

/** The session in a JSON file: as it was written, and with defaults filled in. Throws CliError. */
export async function readSession(file: string): Promise<{ input: SessionInput; spec: SessionSpec }> {
  const input = parseJson(await readText(file), file);
  const parsed = sessionSpec.safeParse(input);
  if (parsed.success) return { input: input as SessionInput, spec: parsed.data };
  const problems = describeIssues(parsed.error).map((line) => `  ${line}`);
  throw new CliError(EXIT.usage, [`${file} is not a valid session:`, ...problems].join('\n'));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} cannot be read: ${(error as Error).message}`, error);
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} is not JSON: ${(error as Error).message}`, error);
  }
}
