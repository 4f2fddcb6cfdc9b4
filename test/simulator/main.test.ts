import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function launch(
  ...args: string[]
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  return spawn(process.execPath, ['--import', 'tsx', 'src/simulator/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`prints its address, serves, and ends cleanly on ${signal}`, async () => {
    const child = launch('--port', '0');
    const output = text(child.stdout);
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /^simulator listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(chunk.toString())?.[1];
    assert.ok(url, chunk.toString());
    assert.equal((await fetch(`${url}/v1/hosts`)).status, 200);
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.equal((await output).split('\n').length, 2, 'one line and no more');
  });
}

for (const [what, args, words] of [
  ['a fleet file that is not there', ['--fleet', 'nowhere.yaml'], /nowhere\.yaml/],
  ['a fleet file that is none', ['--fleet', 'package.json'], /hosts/],
  ['a port that is none', ['--port', 'http'], /must be a number/],
] as const) {
  test(`refuses ${what}`, async () => {
    const child = launch(...args);
    const [errors, ending] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.deepEqual(ending, [1, null]);
    assert.match(errors, words);
  });
}
