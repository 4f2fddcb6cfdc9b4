import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMark, parseMark } from '../../src/core/mark.ts';

/** Names as platforms and operators may write them: any characters, lone surrogates too, and those that the mark uses. */
const name = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 12 })
    .map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom(' ', '\t', '\n', '\u00a0', '\u2028', '%', '%20', '=', 'host=', 'a', '🛥', '\ud83d'),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    .map((parts) => parts.join('')),
);

test('a mark is read as it was written, whatever the names', () => {
  fc.assert(
    fc.property(name, name, (session, host) => {
      const text = formatMark({ session, host });
      assert.deepEqual(parseMark(text), { session, host });
      assert.match(text, /^haulout session=\S+ host=\S+$/, 'one line, three words');
    }),
    { numRuns: 1_000 },
  );
});

test('different marks are different texts', () => {
  fc.assert(
    fc.property(name, name, name, name, (session, host, otherSession, otherHost) => {
      const same = session === otherSession && host === otherHost;
      const text = formatMark({ session, host });
      assert.equal(text === formatMark({ session: otherSession, host: otherHost }), same);
    }),
  );
});

test('usual names can be read by people', () => {
  assert.equal(
    formatMark({ session: 'rack-12', host: 'compute-3.example.org' }),
    'haulout session=rack-12 host=compute-3.example.org',
  );
  assert.equal(
    formatMark({ session: 'night shift', host: '100%' }),
    'haulout session=night%20shift host=100%25',
  );
});

const FOREIGN = [
  ...['', ' ', 'bad fan', 'haulout', 'haulout session=a', 'haulout host=b session=a', 'session=a host=b'],
  ...[
    'haulout session= host=b',
    'haulout session=a host=',
    'haulout session=a  host=b',
    'Haulout session=a host=b',
  ],
  ...[' haulout session=a host=b', 'haulout session=a host=b ', 'haulout session=a host=b\n'],
  ...[
    'x\nhaulout session=a host=b',
    'haulout session=a host=b (do not touch)',
    'haulout session=a host=b host=c',
  ],
  ...['haulout session=%zz host=b', 'haulout session=a host=%', 'haulout session=a host=%e0%a4%a'],
  // Ours would be written in another way, and could not be taken off by it.
  ...[
    'haulout session=%61 host=b',
    'haulout session=a host=b%2fc',
    'haulout session=night%20shift host=%E2%82%AC',
  ],
];

for (const text of FOREIGN) {
  test(`${JSON.stringify(text)} is somebody else's`, () => {
    assert.equal(parseMark(text), undefined);
  });
}

test('no text is no mark', () => {
  assert.equal(parseMark(undefined), undefined);
});

test('no text but our own is taken for a mark', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(fc.string(), fc.string()).map(([session, host]) => `haulout session=${session} host=${host}`),
    fc.stringMatching(/^haulout session=(%[0-9a-f]{2}|[a-z%]){1,4} host=(%[0-9A-F]{2}|[a-z%]){1,4}$/),
  );
  fc.assert(
    fc.property(text, (written) => {
      const mark = parseMark(written);
      if (mark !== undefined) assert.equal(formatMark(mark), written);
    }),
    { numRuns: 1_000 },
  );
});
