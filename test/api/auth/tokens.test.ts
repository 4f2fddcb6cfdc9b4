import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StaticTokens, TokenFileError } from '../../../src/api/auth/tokens.ts';

const SECRET = 's3cret-s3cret-s3cret';

test('each token is one of an administrator or of a project', async () => {
  const tokens = new StaticTokens(
    JSON.stringify({
      tokens: [
        { name: 'operator', token: `${SECRET}-1`, admin: true },
        { name: 'vnfm', token: `${SECRET}-2`, project: 'p1' },
      ],
    }),
  );
  assert.deepEqual(await tokens.authenticate({ authorization: `bearer ${SECRET}-1` }), {
    id: 'operator',
    isAdmin: true,
    isReader: false,
  });
  assert.deepEqual(await tokens.authenticate({ 'x-auth-token': `${SECRET}-2` }), {
    id: 'vnfm',
    isAdmin: false,
    isReader: false,
    project: 'p1',
  });
  await assert.rejects(tokens.authenticate({ 'x-auth-token': SECRET }), /not known/);
});

const one = { name: 'a', token: SECRET };
const wrong: [string, string, RegExp][] = [
  ['is no YAML', 'tokens: [', /is not YAML/],
  ['is empty', '', /expected object/],
  ['has no tokens', 'tokens: []', /^tokens: /],
  ['has a token for nobody', JSON.stringify({ tokens: [one] }), /tokens\.0: must have either/],
  [
    'has one for an administrator of a project',
    JSON.stringify({ tokens: [{ ...one, admin: true, project: 'p' }] }),
    /tokens\.0: must have either/,
  ],
  [
    'has a token that is short',
    JSON.stringify({ tokens: [{ ...one, token: 'short', admin: true }] }),
    /tokens\.0\.token: .*16 characters/,
  ],
  [
    'has a token twice',
    JSON.stringify({
      tokens: [
        { ...one, admin: true },
        { ...one, name: 'b', project: 'p' },
      ],
    }),
    /each token once/,
  ],
  [
    'has a key that is not known',
    JSON.stringify({ tokens: [{ ...one, admin: true, projects: ['p'] }] }),
    /tokens\.0\.projects: /,
  ],
];
for (const [name, content, message] of wrong) {
  test(`a file is refused that ${name}`, () => {
    assert.throws(
      () => new StaticTokens(content),
      (error: Error) => {
        assert.ok(error instanceof TokenFileError);
        assert.match(error.message, message);
        assert.ok(!error.message.includes(SECRET));
        return true;
      },
    );
  });
}
