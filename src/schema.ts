/** Run as `npm run schema`: writes the JSON Schema of the session input to examples/, where editors find it. */
import { writeFileSync } from 'node:fs';
import { sessionJsonSchema } from './core/session-schema.ts';

const file = new URL('../examples/session.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(sessionJsonSchema(), undefined, 2)}\n`);
