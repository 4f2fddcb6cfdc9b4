/** The search attributes that sessions set. A server that does not know them refuses what sets them. */
import type { Connection, ConnectionLike } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from './names.ts';

/** To set and read them with. */
export const ATTRIBUTE_KEYS = {
  state: defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD'),
  site: defineSearchAttributeKey(SEARCH_ATTRIBUTES.site, 'KEYWORD'),
  session: defineSearchAttributeKey(SEARCH_ATTRIBUTES.session, 'KEYWORD'),
};

/** `INDEXED_VALUE_TYPE_KEYWORD` of the service's API. */
const KEYWORD = 2;

/** The search attributes are missing and could not be registered; the message says what to run. */
export class SearchAttributesError extends Error {
  override readonly name = 'SearchAttributesError';
}

/**
 * Makes sure that the namespace has them, registering what is missing where this connection may.
 *
 * @returns names that were registered just now
 * @throws SearchAttributesError with the command to run
 */
export async function ensureSearchAttributes(
  connection: Pick<Connection, 'operatorService'> | ConnectionLike,
  namespace: string,
): Promise<string[]> {
  const operator = (connection as Pick<Connection, 'operatorService'>).operatorService;
  const wanted = Object.values(SEARCH_ATTRIBUTES);
  let missing: string[] = wanted;
  try {
    const { customAttributes } = await operator.listSearchAttributes({ namespace });
    missing = wanted.filter((name) => customAttributes[name] === undefined);
    if (missing.length === 0) return [];
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await operator.addSearchAttributes({ namespace, searchAttributes });
    return missing;
  } catch (error) {
    const options = missing.map((name) => `--name ${name} --type Keyword`).join(' ');
    const reason = error instanceof Error ? error.message : String(error);
    throw new SearchAttributesError(
      `Search attributes are missing in namespace ${namespace} and could not be registered (${reason}). Run:\n` +
        `  temporal operator search-attribute create --namespace ${namespace} ${options}`,
      { cause: error },
    );
  }
}
