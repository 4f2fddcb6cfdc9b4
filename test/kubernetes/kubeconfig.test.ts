/** What is said of a kubeconfig that cannot be used, before anything is connected to. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SettingsError } from '../../src/drivers/platform.ts';
import { findCluster } from '../../src/kubernetes/kubeconfig.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'haulout-kubeconfig-'));
after(() => rmSync(directory, { recursive: true }));

const file = path.join(directory, 'kubeconfig');

const withServer = (server: string, current = 'prod'): string =>
  JSON.stringify({
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 'very-secret' } }],
    contexts: [{ name: 'prod', context: { cluster: 'c', user: 'u' } }],
    'current-context': current,
  });

const WRONG: Readonly<Record<string, [text: string, problem: RegExp]>> = {
  'that is empty': ['\n', /^kubeconfig: .*kubeconfig is empty$/],
  'that is not YAML': ['users: [{token: very-secret', /^kubeconfig: .* is no kubeconfig: unexpected end .*$/],
  'without contexts': ['kind: Config', /^context: .* has no current context; it has none at all$/],
  'without a current context': [withServer('https://a', ''), /no current context; choose one of prod$/],
  'whose server is no URL': [
    withServer('10.0.0.1:6443'),
    /^kubeconfig: .*10\.0\.0\.1:6443 is no http or https/,
  ],
};

for (const [what, [text, problem]] of Object.entries(WRONG)) {
  test(`a kubeconfig ${what} is refused in one line that quotes no secret`, () => {
    writeFileSync(file, text);
    assert.throws(
      () => findCluster({ kubeconfig: file }),
      (error) => {
        assert.ok(error instanceof SettingsError, String(error));
        assert.match(error.message, problem);
        assert.doesNotMatch(error.message, /very-secret|\n/);
        return true;
      },
    );
  });
}

test('a context that the kubeconfig does not have is refused with those that it has', () => {
  writeFileSync(file, withServer('https://a'));
  assert.throws(
    () => findCluster({ kubeconfig: file, context: 'lab' }),
    /context: the kubeconfig has no context lab; choose one of prod$/,
  );
});
