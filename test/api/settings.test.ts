import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings, SettingsError } from '../../src/api/settings.ts';

const GOOD = { site: 'lab', host: '127.0.0.1', port: '12347', auth: 'none', rateLimit: '6000' };

test('what is given is read', () => {
  const { port, rateLimit } = readSettings(GOOD);
  assert.equal(port, 12_347);
  assert.equal(rateLimit, 6_000);
});

for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
  test(`everybody may be let in at ${host}`, () => {
    assert.equal(readSettings({ ...GOOD, host }).host, host);
  });
}

const wrong: [object, RegExp][] = [
  [{ site: undefined }, /^--site: is needed/],
  [{ site: 'a b' }, /^--site: /],
  [{ port: '70000' }, /^--port: /],
  [{ port: 'http' }, /^--port: must be a whole number/],
  [{ auth: 'basic' }, /^--auth: must be one of none, token, keystone/],
  [{ auth: 'token' }, /^--tokens: is needed/],
  [{ auth: 'token', tokens: '/no/such/file' }, /^--tokens: there is no such file/],
  [{ auth: 'keystone' }, /^--keystone-url: is needed/],
  [{ auth: 'keystone', keystoneUrl: 'ftp://x' }, /^--keystone-url: must be an http/],
  [
    { auth: 'keystone', keystoneUrl: 'https://x', keystoneCa: '/no/such' },
    /^--keystone-ca: there is no such/,
  ],
  [{ rateLimit: '0' }, /^--rate-limit: /],
  [{ host: '0.0.0.0' }, /^--auth: "none" lets everybody in/],
  [{ host: '::' }, /^--auth: /],
  [{ host: '10.0.0.1' }, /^--auth: /],
  [{ host: 'maintenance.example.org' }, /^--auth: /],
];
for (const [more, message] of wrong) {
  test(`${JSON.stringify(more)} is refused by its name`, () => {
    assert.throws(
      () => readSettings({ ...GOOD, ...more }),
      (error: Error) => {
        assert.ok(error instanceof SettingsError);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}
