/** How programs of this package are run as processes of their own, from source and from a build alike. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(import.meta.url);
const isSource = here.endsWith('.ts');

/** Where the sources, or what was compiled from them, are: the directory that has `src/`. */
const codeRoot = path.resolve(path.dirname(here), '../..');

/** The directory of package.json and examples/: `codeRoot`, or the one above it for a build in dist/. */
export const packageRoot = existsSync(path.join(codeRoot, 'package.json'))
  ? codeRoot
  : path.dirname(codeRoot);

/**
 * Given all the memory of a large machine, V8 lets garbage grow to several times what is in use before it looks; given a
 * limit, it looks sooner, at no cost that shows. A worker with 1,000 hosts uses an eighth of this. Also in package.json
 * and in the Dockerfile.
 */
const HEAP_LIMIT = '--max-old-space-size=1536';

export interface NodeCommand {
  program: string;
  args: string[];
}

/** The command that runs `source`, a path such as `src/worker.ts`, in the Node.js this process runs in. */
export const nodeCommand = (source: string): NodeCommand => ({
  program: process.execPath,
  args: isSource
    ? [HEAP_LIMIT, '--import', import.meta.resolve('tsx'), path.join(codeRoot, source)]
    : [HEAP_LIMIT, '--enable-source-maps', path.join(codeRoot, source.replace(/\.ts$/, '.js'))],
});
