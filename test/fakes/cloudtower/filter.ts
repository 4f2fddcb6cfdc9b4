/** Filters of the API (`where`), as far as they are known here; any other key is refused. */
import { Refusal } from './state.ts';

/** Operators of a key, by what stands behind its name. */
const OPERATORS: readonly (readonly [suffix: string, test: (value: unknown, wanted: unknown) => boolean])[] =
  [
    ['_in', (value, wanted) => Array.isArray(wanted) && wanted.includes(value)],
    [
      '_some',
      (value, wanted) =>
        Array.isArray(value) && value.some((one) => matches(one as object, wanted as object)),
    ],
  ];

/** Throws Refusal when the filter has a key that the objects do not have. */
export function matches(object: object | null, where: object): boolean {
  return Object.entries(where).every(([key, wanted]: [string, unknown]) => holds(object, key, wanted));
}

function holds(object: object | null, key: string, wanted: unknown): boolean {
  if (key === 'OR') return (wanted as object[]).some((one) => matches(object, one));
  if (key === 'AND') return (wanted as object[]).every((one) => matches(object, one));
  if (object === null) return false;
  const operator = OPERATORS.find(([suffix]) => key.endsWith(suffix) && !(key in object));
  const field = operator ? key.slice(0, -operator[0].length) : key;
  if (!(field in object)) throw new Refusal(400, `Field "${key}" is not defined by the filter`);
  const value = (object as Record<string, unknown>)[field];
  if (operator) return operator[1](value, wanted);
  if (typeof wanted === 'object' && wanted !== null) return matches(value as object | null, wanted);
  return value === wanted;
}
