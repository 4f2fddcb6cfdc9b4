/**
 * Run by `npm run build` on what it compiled: writes dist/workflow-bundle.js, the workflow code as one file. A worker
 * that is told of it by HAULOUT_WORKFLOW_BUNDLE starts without bundling, and needs no compiler.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('../workflows/index.js', import.meta.url)),
});
await writeFile(new URL('../workflow-bundle.js', import.meta.url), code);
