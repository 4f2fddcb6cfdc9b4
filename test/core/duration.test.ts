import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationMs, formatDuration, parseDuration } from '../../src/core/duration.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY } as const;

const READ: Record<string, number> = {
  '0s': 0,
  '1ms': 1,
  '500ms': 500,
  '90s': 90 * SECOND,
  '15m': 15 * MINUTE,
  '2h': 2 * HOUR,
  '1.5h': 90 * MINUTE,
  '0.25d': 6 * HOUR,
  '2 h': 2 * HOUR,
  '007s': 7 * SECOND,
  '30d': 30 * DAY,
  '720h': 30 * DAY,
};

for (const [text, milliseconds] of Object.entries(READ)) {
  test(`"${text}" is ${milliseconds} ms`, () => {
    assert.equal(parseDuration(text), milliseconds);
    assert.equal(durationMs(text), milliseconds);
  });
}

const REFUSED = [
  ...['', ' ', 's', '15', '15 ', 'soon', '15min', '1w', '1y', '2H', '1e3s', '-5s', '+5s', '.5h', '5.h'],
  ...['1h30m', '1,5h', '2  h', ' 2h', '2h ', '2h\n', '٣h', '0x10s', 'NaNs', 'Infinityd', '1.2.3s'],
  ...['31d', '30.001d', '721h', `${30 * DAY + 1}ms`, `${'9'.repeat(60)}d`, `${'9'.repeat(400)}s`],
];

for (const text of REFUSED) {
  test(`${JSON.stringify(text.slice(0, 40))} is no duration`, () => {
    assert.equal(parseDuration(text), undefined);
    assert.throws(() => durationMs(text), RangeError);
  });
}

test('a whole number of any unit is that many of it, up to 30 days', () => {
  const unit = fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[]));
  fc.assert(
    fc.property(fc.nat(30 * DAY), unit, (count, name) => {
      const expected = count * UNITS[name];
      assert.equal(parseDuration(`${count}${name}`), expected <= 30 * DAY ? expected : undefined);
    }),
  );
});

test('whatever the text, it is a duration of at most 30 days or none', () => {
  const digits = fc.stringMatching(/^[0-9.]{0,6}$/);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(digits, fc.constantFrom('', ' ', 'ms', 's', 'm', 'h', 'd', 'w')).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (written) => {
      const value = parseDuration(written);
      if (value === undefined) return;
      assert.ok(Number.isInteger(value) && value >= 0 && value <= 30 * DAY, `${written} is ${value}`);
    }),
  );
});

const SHOWN: [number, string][] = [
  [0, '0 ms'],
  [0.4, '0 ms'],
  [850, '850 ms'],
  [999, '999 ms'],
  [SECOND, '1 s'],
  [1_499, '1 s'],
  [42 * SECOND, '42 s'],
  [119 * SECOND, '119 s'],
  [2 * MINUTE, '2 min'],
  [12 * MINUTE + 20 * SECOND, '12 min'],
  [119 * MINUTE, '119 min'],
  [2 * HOUR, '2 h 00 min'],
  [2 * HOUR + 5 * MINUTE, '2 h 05 min'],
  [2 * HOUR - SECOND, '2 h 00 min'],
  [3 * HOUR - SECOND, '3 h 00 min'],
  [30 * DAY, '720 h 00 min'],
];

for (const [milliseconds, words] of SHOWN) {
  test(`${milliseconds} ms is shown as ${words}`, () => {
    assert.equal(formatDuration(milliseconds), words);
  });
}

test('what is shown of a duration is the nearest of the unit that it is shown in', () => {
  /** Minutes are rounded from whole seconds. */
  const nearest = { ms: 0.5, s: SECOND / 2, min: MINUTE / 2 + SECOND / 2 } as const;
  const size = { ms: 1, s: SECOND, min: MINUTE } as const;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 30 * DAY }), (milliseconds) => {
      const words = formatDuration(milliseconds);
      const [, hours = '0', count, unit] = /^(?:(\d+) h )?(\d+) (ms|s|min)$/.exec(words) ?? [];
      assert.ok(unit === 'ms' || unit === 's' || unit === 'min', words);
      const shown = Number(hours) * HOUR + Number(count) * size[unit];
      assert.ok(Math.abs(shown - milliseconds) <= nearest[unit], words);
    }),
  );
});
