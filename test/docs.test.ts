import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../src/core/errors.ts';
import { MAINTENANCE_QUEUE, QUERIES, SEARCH_ATTRIBUTES, SIGNALS, UPDATES, WORKFLOWS } from '../src/names.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const notOurs = /(^|\/)(node_modules|dist|\.git|\.haulout)\//;

const pages = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md') && !notOurs.test(file))
  .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));

const fencePattern = /^( *)(`{3,}|~{3,}).*\n([\s\S]*?)^\1\2 *$/gm;

test('docs/errors.md has the catalogue of errors, each code with what the code says of it', () => {
  const page = readFileSync(path.join(root, 'docs/errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| +`(\w+)` +\| (.+) \|$/gm)].map(
    ([, code = '', cells = '']) => [code, cells.replace(/ +/g, ' ').trim()] as const,
  );
  const documented = Object.fromEntries(rows);
  for (const [code, { retryable, meaning, remedy }] of Object.entries(ERRORS)) {
    assert.equal(documented[code], `${retryable ? 'yes' : 'no'} | ${meaning} | ${remedy}`);
  }
  assert.deepEqual(
    rows.map(([code]) => code),
    Object.keys(ERRORS),
  );
});

/** Anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (text: string): string[] =>
  [...text.replace(fencePattern, '').matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );

for (const { file, text } of pages) {
  test(`the relative links of ${file} lead somewhere`, () => {
    const links = [...text.replace(fencePattern, '').matchAll(/\]\(<?([^)>\s]+)>?(?: "[^"]*")?\)/g)].map(
      ([, link = '']) => link,
    );
    for (const link of links.filter((target) => !/^[a-z]+:/i.test(target))) {
      const [place = '', anchor] = link.split('#');
      const target =
        place === '' ? path.join(root, file) : path.resolve(root, path.dirname(file), decodeURI(place));
      assert.ok(existsSync(target), `${link}: there is no ${path.relative(root, target)}`);
      if (anchor && target.endsWith('.md')) {
        assert.ok(
          anchorsOf(readFileSync(target, 'utf8')).includes(anchor),
          `${link}: no heading "${anchor}"`,
        );
      }
    }
  });
}

/** Each `temporal workflow …` command in the fenced code of a page, on one line. */
const temporalCommands = (text: string): string[] =>
  [...text.matchAll(fencePattern)]
    .flatMap(([, , , code = '']) => code.replace(/\\\n\s*/g, ' ').split('\n'))
    .map((line) => line.trim().replace(/^\$ /, ''))
    .filter((line) => line.startsWith('temporal workflow '));

/** What the flags of each command may name. */
const knownNames: Record<string, Record<string, readonly string[]>> = {
  start: {
    '--type': Object.values(WORKFLOWS),
    '--task-queue': [MAINTENANCE_QUEUE],
    '-t': [MAINTENANCE_QUEUE],
  },
  execute: {
    '--type': Object.values(WORKFLOWS),
    '--task-queue': [MAINTENANCE_QUEUE],
    '-t': [MAINTENANCE_QUEUE],
  },
  signal: { '--name': Object.values(SIGNALS) },
  update: { '--name': Object.values(UPDATES) },
  query: { '--type': Object.values(QUERIES), '--name': Object.values(QUERIES) },
};

for (const { file, text } of pages) {
  for (const command of temporalCommands(text)) {
    test(`${file}: names in \`${command}\` are known`, () => {
      const [, , verb = '', ...words] = command.split(/[\s=]+/);
      const flags = knownNames[verb] ?? {};
      words.forEach((word, index) => {
        const known = flags[word];
        if (known)
          assert.ok(
            known.includes(words[index + 1] ?? ''),
            `${word} ${words[index + 1]}: not one of ${known.join(', ')}`,
          );
      });
      for (const [attribute] of command.matchAll(
        /\bMaintenance[A-Z]\w*(?=\s*(?:=|!=|IN\b|STARTS_WITH\b|IS\b))/gi,
      )) {
        assert.ok(
          (Object.values(SEARCH_ATTRIBUTES) as string[]).includes(attribute),
          `no search attribute ${attribute}`,
        );
      }
    });
  }
}
