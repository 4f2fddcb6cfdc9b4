import { z } from 'zod';
import { sessionSpec } from './session-spec.ts';

/**
 * JSON Schema (draft 2020-12) of the session input, for editors. It says less than `sessionSpec`: rules between fields,
 * such as a budget that contradicts itself, are only checked when a session starts.
 */
export const sessionJsonSchema = (): object => ({
  $id: 'urn:haulout:session',
  title: 'Haulout maintenance session',
  ...z.toJSONSchema(sessionSpec, { io: 'input' }),
});
