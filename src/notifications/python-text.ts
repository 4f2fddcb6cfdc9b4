/** Python's `str()`: clients of Fenix read lists and dicts as Python writes them. */

/** Escapes that Python has a letter for. */
const NAMED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** What Python takes for not printable: everything of the categories "other" and "separator" but the space. */
const NOT_PRINTABLE = /[\p{C}\p{Z}]/u;

/** `str(value)` of a value that came from JSON. */
export const pythonText = (value: unknown): string => (typeof value === 'string' ? value : repr(value));

function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return reprOfText(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, item]) => `${reprOfText(key)}: ${repr(item)}`);
    return `{${entries.join(', ')}}`;
  }
  return JSON.stringify(value);
}

function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = Array.from(text, (character) =>
    character === quote ? `\\${character}` : (NAMED[character] ?? escape(character)),
  );
  return `${quote}${escaped.join('')}${quote}`;
}

function escape(character: string): string {
  if (character === ' ' || !NOT_PRINTABLE.test(character)) return character;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
