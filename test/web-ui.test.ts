/** What a person sees of a session in Temporal's Web UI, and does there, in a browser. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Locator, type Page } from 'playwright-core';
import { startStack, type Stack } from '../src/devstack/stack.ts';
import { hostWorkflowId, MAINTENANCE_QUEUE, QUERIES, WORKFLOWS } from '../src/names.ts';
import type { Progress } from '../src/core/progress.ts';
import { findChromium } from './support/chromium.ts';

const DEADLINE_MS = 60_000;
const SESSION = 'night-shift';
const HOST = 'compute-04';

let stack: Stack;
let page: Page;
const cleanups: (() => Promise<void>)[] = [];

before(async () => {
  const executablePath = findChromium();
  assert.ok(executablePath, 'Chromium is not on PATH: install it, on Debian with "apt-get install chromium"');
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-web-ui-'));
  cleanups.push(() => rm(directory, { recursive: true }));
  // The shared server of the tests may run without a Web UI, so this one is its own.
  const { TEMPORAL_ADDRESS: _, ...env } = process.env;
  const onLost = (name: string, how: string): void => assert.fail(`the ${name} ended with ${how}`);
  stack = await startStack({ directory, say: () => undefined, onLost, env });
  cleanups.push(() => stack.stop());
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  cleanups.push(() => browser.close());
  page = await browser.newPage({ viewport: { width: 1400, height: 1200 } });
  page.setDefaultTimeout(DEADLINE_MS);
  await startSession();
});

after(async () => {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
});

test('the timeline of a session names its hosts', async () => {
  await open(SESSION);
  await sees(/maintain compute-04/);
});

test('the details of a session say its state, what blocks by name, and what to do', async () => {
  await open(SESSION);
  await page.getByRole('tab', { name: /Metadata|Details/ }).click();
  await sees(/MAINTENANCE_FAILED █*░+ 0 %/);
  await sees(/0 of 1 hosts done · 1 held · \d+ of \d+ instances moved/);
  await sees(/Blocked by: compute-04: work: .*the firmware image is corrupt/);
  await sees(/1 held: signal continue to retry, skip or roll back/);
});

test('the timeline of a host names each move, and the step that failed', async () => {
  await open(hostWorkflowId('demo', HOST));
  await sees(/live-migrate \S+ → compute-\d+/);
  await sees(/action webhook on compute-04/);
  await sees(/Failed/);
});

test('"continue" is described where signals are sent, and sent from there takes the host up again', async () => {
  await stack.simulator.clearFaults();
  await open(SESSION);
  await page.getByRole('button', { name: 'More Actions' }).click();
  await page.getByRole('menuitem', { name: 'Send a Signal' }).last().click();
  const dialog = page.getByRole('dialog').filter({ hasText: 'Send a Signal' });
  await dialog
    .getByRole('button', { name: /signal/i })
    .first()
    .click();
  const option = dialog.getByRole('option').filter({ hasText: /^\s*continue/ });
  await seesIn(option, /Go on after a hold or a pause: no input retries every held host/);
  await option.click();
  await dialog.getByRole('button', { name: 'Submit' }).click();
  await until(({ state }) => state === 'MAINTENANCE_DONE');
  await open(SESSION);
  await sees(/continue compute-04/);
});

/** One host, whose work fails; resolves when it is held. */
async function startSession(): Promise<void> {
  await stack.simulator.addFault({
    match: { operation: 'work', host: HOST, probability: 1, after: 0 },
    effect: { kind: 'fail', status: 422, code: 'ImageCorrupt', message: 'the firmware image is corrupt' },
  });
  await stack.temporal.client.workflow.start(WORKFLOWS.maintenanceSession, {
    workflowId: SESSION,
    taskQueue: MAINTENANCE_QUEUE,
    args: [
      {
        site: 'demo',
        hosts: [HOST],
        budget: { maxConcurrentMovesPerHost: 4 },
        actions: [{ plugin: 'webhook', type: 'host', metadata: { endpoint: 'firmware' } }],
      },
    ],
  });
  await until(({ state }) => state === 'MAINTENANCE_FAILED');
}

async function until(wish: (progress: Progress) => boolean): Promise<void> {
  const session = stack.temporal.client.workflow.getHandle(SESSION);
  await eventually(async () => {
    const progress = await session.query<Progress>(QUERIES.progress);
    return wish(progress) ? undefined : `the session stands at ${JSON.stringify(progress)}`;
  });
}

async function open(workflowId: string): Promise<void> {
  const { own, settings } = stack.server;
  assert.ok(own, 'the stack has a Temporal server of its own');
  const id = encodeURIComponent(workflowId);
  await page.goto(`${own.webUi}/namespaces/${settings.namespace}/workflows/${id}`);
}

/** Waits until the page, or a frame in it, shows this. The UI draws summaries and details in frames. */
const sees = (words: RegExp): Promise<void> =>
  eventually(async () => {
    const shown = await Promise.all(
      page.frames().map((frame) =>
        frame
          .locator('body')
          .innerText()
          .catch(() => ''),
      ),
    );
    const text = shown.join('\n');
    return words.test(text) ? undefined : `${String(words)} is not shown; what is: ${text}`;
  });

const seesIn = (place: Locator, words: RegExp): Promise<void> =>
  eventually(async () => {
    const text = await place.innerText();
    return words.test(text) ? undefined : `${String(words)} is not shown; what is: ${text}`;
  });

/** Asks until there is no objection any more; fails with the last one. */
async function eventually(objection: () => Promise<string | undefined>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await objection();
    if (found === undefined) return;
    assert.ok(Date.now() < deadline, found);
    await sleep(100);
  }
}
