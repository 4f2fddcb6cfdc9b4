import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pythonText } from '../../src/notifications/python-text.ts';

const texts: [value: unknown, text: string][] = [
  ['as it is, "quotes" and all', 'as it is, "quotes" and all'],
  [null, 'None'],
  [true, 'True'],
  [42, '42'],
  [0.5, '0.5'],
  [[], '[]'],
  [{}, '{}'],
  [['MIGRATE', 'OWN_ACTION'], "['MIGRATE', 'OWN_ACTION']"],
  [{ openstack_version: 'Train', n: [1, null] }, "{'openstack_version': 'Train', 'n': [1, None]}"],
  [["it's"], '["it\'s"]'],
  [['"it\'s"'], "['\"it\\'s\"']"],
  [['back\\slash', 'a\nb\r\tc'], "['back\\\\slash', 'a\\nb\\r\\tc']"],
  [['\u0000\u007f', 'Köln', '東京', '🚢'], "['\\x00\\x7f', 'Köln', '東京', '🚢']"],
  [['\u00a0\u2028\ufeff\ue000\u{e0001}'], "['\\xa0\\u2028\\ufeff\\ue000\\U000e0001']"],
];

for (const [value, text] of texts) {
  test(`${JSON.stringify(value)} is ${text}`, () => {
    assert.equal(pythonText(value), text);
  });
}
