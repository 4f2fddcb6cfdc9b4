/** `govc`, the command line client of vSphere's own library: it talks SOAP, and shares nothing with the driver. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Address } from './bed.ts';

/** Runs a command, with `input` on its standard input; resolves to what it prints. */
export async function govc(
  { govc: program, url, username, password, caFile }: Address,
  args: readonly string[],
  input = '',
): Promise<string> {
  const child = spawn(program, args, {
    env: {
      ...process.env,
      GOVC_URL: `${url}/sdk`,
      GOVC_USERNAME: username,
      GOVC_PASSWORD: password,
      GOVC_TLS_CA_CERTS: caFile,
      GOVC_PERSIST_SESSION: 'false',
    },
  });
  // It may end without reading; its exit code says whether that matters.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [output, complaint, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (exitCode !== 0) throw new Error(`govc ${args.join(' ')} ended with ${String(exitCode)}: ${complaint}`);
  return output;
}
