import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { findTemporalCli, NoTemporalCliError, objection } from '../../src/devstack/temporal-cli.ts';

const GOOD = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';

const verdicts: [version: string, objection: RegExp | undefined][] = [
  [GOOD, undefined],
  ['temporal version 1.4.0 (Server 1.28.0, UI 2.39.0)', undefined],
  ['temporal version 2.0.0 (Server 2.0.0, UI 3.0.0)', undefined],
  ['temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)', /1\.3\.0 .*1\.4 or newer/],
  ['temporal version 0.13.2 (Server 1.24.2, UI 2.28.0)', /0\.13\.2/],
  ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', undefined],
  ['temporal version 0.0.0-DEV (Server 1.27.1, UI 2.36.0)', /Server 1\.27\.1/],
  ['tctl version 1.18.1', /does not say what version/],
];

for (const [version, expected] of verdicts) {
  test(`"${version}" is ${expected ? 'passed over' : 'good enough'}`, () => {
    const found = objection(version);
    if (expected) assert.match(found ?? '', expected);
    else assert.equal(found, undefined);
  });
}

let directory: string;
let env: NodeJS.ProcessEnv;
const said: string[] = [];

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'haulout-cli-'));
});
after(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  await rm(directory, { recursive: true });
  await mkdir(directory);
  said.length = 0;
  // The proxy refuses every connection: nothing is downloaded here.
  env = { PATH: path.join(directory, 'bin'), XDG_CACHE_HOME: directory, HTTPS_PROXY: 'http://127.0.0.1:1' };
});

const find = (): Promise<string> => findTemporalCli((line) => said.push(line), env);

async function place(file: string, script: string): Promise<string> {
  const placed = path.join(directory, file);
  await mkdir(path.dirname(placed), { recursive: true });
  await writeFile(placed, `#!/bin/sh\n${script}\n`);
  await chmod(placed, 0o755);
  return placed;
}

test('a CLI on PATH is taken', async () => {
  const onPath = await place('bin/temporal', `echo '${GOOD}'`);
  await place('haulout/temporal', `echo '${GOOD}'`);
  assert.equal(await find(), onPath);
});

test('one on PATH that is too old is passed over for the one in the cache', async () => {
  await place('bin/temporal', "echo 'temporal version 1.1.0 (Server 1.25.0, UI 2.30.0)'");
  const cached = await place('haulout/temporal', `echo '${GOOD}'`);
  assert.equal(await find(), cached);
});

test('without download, Go builds one into the cache, and says so', async () => {
  const built = path.join(directory, 'haulout/temporal');
  await place(
    'bin/go',
    `PATH=/usr/bin:/bin
    [ "$1" = install ] && printf '#!/bin/sh\\necho "${GOOD}"\\n' > "$GOBIN/temporal" && chmod +x "$GOBIN/temporal"`,
  );
  assert.equal(await find(), built);
  assert.match(said.join('\n'), /^Building the Temporal CLI with Go.*\nBuilt /);

  await rm(path.join(directory, 'bin'), { recursive: true });
  assert.equal(await find(), built, 'the next time it comes from the cache');
});

test('when nothing helps, the error says what was tried and why it failed', async () => {
  await place('bin/temporal', "echo 'temporal version 1.1.0 (Server 1.25.0, UI 2.30.0)'");
  await place('bin/go', "echo 'go: github.com/temporalio/cli: error: no such host' >&2; exit 1");
  await assert.rejects(find(), (error: Error) => {
    assert.ok(error instanceof NoTemporalCliError);
    assert.match(error.message, /temporal on PATH: .*version 1\.1\.0/);
    assert.match(error.message, /the cache, .*: empty/);
    assert.match(error.message, /download of the Temporal SDK: \S/);
    assert.match(error.message, /go install .*: .*no such host/);
    assert.match(error.message, /TEMPORAL_ADDRESS/);
    return true;
  });
});
