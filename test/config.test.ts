import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, loadConfig, loadLockController } from '../src/config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'haulout-config-'));
after(() => {
  rmSync(directory, { recursive: true });
});

const SITES = 'sites: {demo: {platform: simulator, url: "http://127.0.0.1:7070"}}';

function write(content: string): string {
  const file = path.join(directory, 'haulout.yaml');
  writeFileSync(file, content);
  return file;
}

const load = (content: string, env: NodeJS.ProcessEnv = {}): ReturnType<typeof loadConfig> =>
  loadConfig(write(content), env);

function problemsOf(content: string, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    load(content, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return assert.fail('was accepted');
}

test('a site is all that is needed; the rest has careful defaults', () => {
  const config = load(SITES);
  assert.equal(config.sites.demo?.platform, 'simulator');
  assert.equal(config.sites.demo.reconcileEvery, '5m');
  assert.equal(config.sites.demo.options.url, 'http://127.0.0.1:7070');
  assert.deepEqual(config.actions, { webhook: { endpoints: {} }, command: { allow: {} }, activities: {} });
  assert.deepEqual(config.notifications, { sinks: {} });
  assert.deepEqual(config.worker, { maintenance: true, maxConcurrentActivities: 200 });
});

test('a section may be there and empty', () => {
  assert.deepEqual(load(`${SITES}\nactions: {webhook: }\nworker:`), load(SITES));
});

test('the configuration cannot be changed, at any depth', () => {
  const config = load(SITES);
  assert.throws(() => Object.assign(config.worker, { maintenance: false }), TypeError);
  assert.throws(() => Object.assign(config.sites.demo?.options ?? {}, { url: 'x' }), TypeError);
});

test('HAULOUT_CONFIG names the file, and the error without one says all ways', () => {
  const file = write(SITES);
  assert.ok(loadConfig(undefined, { HAULOUT_CONFIG: file }).sites.demo);

  const missing = path.join(directory, 'nowhere.yaml');
  assert.throws(
    () => loadConfig(undefined, { HAULOUT_CONFIG: missing }),
    (error: Error) =>
      [missing, 'HAULOUT_CONFIG', 'haulout.yaml', 'examples/haulout.yaml'].every((part) =>
        error.message.includes(part),
      ),
  );
});

test('the example loads, and shows every key', () => {
  const example = path.join(import.meta.dirname, '../examples/haulout.yaml');
  const config = loadConfig(example, {});
  assert.ok(config.sites.demo);
  const content = readFileSync(example, 'utf8');
  for (const key of [
    ...['platform', 'reconcileEvery', 'endpoints', 'url', 'headers', 'allow', 'run', 'timeout'],
    ...['activities', 'taskQueue', 'activity', 'serves', 'maintenance', 'maxConcurrentActivities'],
    ...['metricsAddress', 'apiUrl', 'sinks', 'kind', 'secret', 'events', 'projects', 'ca', 'urls'],
    ...['exchange', 'topic', 'queues', 'adminProject', 'lockController', 'controllerName', 'release'],
    ...['kubernetes', 'kubeconfig', 'context', 'nodes', 'selector', 'hostLabel', 'hostAnnotation', 'session'],
  ]) {
    assert.match(content, new RegExp(`^[ #]*${key}:`, 'm'));
  }
});

const KEY = Buffer.alloc(24, 1).toString('base64');

/** A configuration with a sink `it`. */
const sinkOf = (sink: string, apiUrl = '"http://x"'): string =>
  `${SITES}\nnotifications: {apiUrl: ${apiUrl}, sinks: {it: ${sink}}}`;

const wrong: Record<string, { content: string; problems: readonly RegExp[] }> = {
  'an empty file': { content: '', problems: [/^\(file\): /] },
  'no site': { content: 'sites: {}', problems: [/^sites: must name at least one site$/] },
  'a key nobody knows, at each level': {
    content: `${SITES}\nsite: {}\nworker: {serve: [demo]}\nactions: {webhook: {allow: []}}`,
    problems: [
      /^actions\.webhook\.allow: is not a key/,
      /^worker\.serve: is not a key/,
      /^site: is not a key/,
    ],
  },
  'a key the platform does not know': {
    content: 'sites: {demo: {platform: simulator, url: "http://x", region: north}}',
    problems: [/^sites\.demo\.region: is not a key/],
  },
  'a wrong value of a key of the platform': {
    content: 'sites: {demo: {platform: simulator, url: nonsense}}',
    problems: [/^sites\.demo\.url: /],
  },
  'an unknown platform': {
    content: 'sites: {demo: {platform: mainframe}}',
    problems: [/^sites\.demo\.platform: .*simulator/],
  },
  'a site whose name would not do in a workflow id': {
    content: 'sites: {"a/b": {platform: simulator, url: "http://x"}}',
    problems: [/^sites\.a\/b: must be a name of letters/],
  },
  'a duration nobody can read': {
    content: 'sites: {demo: {platform: simulator, url: "http://x", reconcileEvery: hourly}}',
    problems: [/^sites\.demo\.reconcileEvery: must be "off", or a duration/],
  },
  'a site to serve that is not there': {
    content: `${SITES}\nworker: {serves: [demo, other]}`,
    problems: [/^worker\.serves\.1: "other" is not one of the sites: demo$/],
  },
  'a command with a placeholder nobody fills in': {
    content: `${SITES}\nactions: {command: {allow: {c: {run: [echo, "{hosts}"]}}}}`,
    problems: [/^actions\.command\.allow\.c\.run\.1: may hold the placeholders \{host\}/],
  },
  'an activity that takes the name of a built-in action': {
    content: `${SITES}\nactions: {activities: {webhook: {taskQueue: q, activity: a}}}`,
    problems: [/^actions\.activities\.webhook: is the name of a built-in action$/],
  },
  'a sink whose kind nobody knows': {
    content: sinkOf('{kind: smoke, url: "http://x"}'),
    problems: [/^notifications\.sinks\.it(\.kind)?: must have a kind: webhook, aodh or amqp$/],
  },
  'notices that nobody can answer': {
    content: `${SITES}\nnotifications: {sinks: {it: {kind: amqp, url: "amqp://x"}}}`,
    problems: [/^notifications\.apiUrl: is needed: sink "it" delivers maintenance\.scheduled/],
  },
  'credentials in the address of a sink, and an address of another kind': {
    content: sinkOf(`{kind: webhook, url: "http://me:s3cret@x", secret: ${KEY}}`, '"ftp://x"'),
    problems: [
      /^notifications\.apiUrl: must be an http or https URL$/,
      /^notifications\.sinks\.it\.url: must have no credentials in it$/,
    ],
  },
  'a signing key that is too short': {
    content: sinkOf('{kind: webhook, url: "http://x", secret: whsec_aHVudGVyMg==}'),
    problems: [/^notifications\.sinks\.it\.secret: must be base64 of 24 to 64 bytes/],
  },
  'alarms without an address, or with two': {
    content: sinkOf('{kind: aodh}, other: {kind: aodh, url: "http://x", urls: {p: "http://x"}}'),
    problems: [
      /^notifications\.sinks\.it: must have either url or urls$/,
      /^notifications\.sinks\.other: must have either url or urls$/,
    ],
  },
  'addresses by project, and what is for no project or for others': {
    content: sinkOf('{kind: aodh, urls: {p: "http://x"}, events: [maintenance.host], projects: [q]}'),
    problems: [
      /^notifications\.sinks\.it\.projects: is not for a sink with urls/,
      /^notifications\.sinks\.it\.events: has events that are for no project/,
    ],
  },
  'a delivery that takes too long, and a certificate that is none': {
    content: sinkOf('{kind: amqp, url: ["amqps://x"], timeout: 2h, ca: no}'),
    problems: [
      /^notifications\.sinks\.it\.ca: must be a certificate in PEM$/,
      /^notifications\.sinks\.it\.timeout: must be a duration of at most 1h/,
    ],
  },
  'YAML that is not': { content: 'sites: [\n', problems: [/^line 2: /] },
  'the same key twice': { content: `${SITES}\n${SITES}`, problems: [/^line 2: Map keys must be unique/] },
};

for (const [title, { content, problems }] of Object.entries(wrong)) {
  test(`${title} is refused by path`, () => {
    const found = problemsOf(content);
    assert.equal(found.length, problems.length, found.join('\n'));
    problems.forEach((pattern, index) => {
      assert.match(found[index] ?? '', pattern);
    });
  });
}

const withHeader = (value: string): string =>
  `${SITES}\nactions: {webhook: {endpoints: {tool: {url: "http://x", headers: {Authorization: ${value}}}}}}`;

test('secrets come from the environment and from files beside the configuration', () => {
  writeFileSync(path.join(directory, 'token'), 'from-file\n');
  const fromFile = load(withHeader('{file: token}')).actions.webhook.endpoints.tool;
  assert.equal(fromFile?.headers.Authorization, 'from-file');
  const fromEnv = load(withHeader('{env: TOKEN}'), { TOKEN: 'from-env' }).actions.webhook.endpoints.tool;
  assert.equal(fromEnv?.headers.Authorization, 'from-env');
});

test('sinks take by default what their receivers can use, and say how long they wait', () => {
  const { notifications } = load(
    `${SITES}
notifications:
  apiUrl: http://127.0.0.1:12347
  sinks:
    hook: {kind: webhook, url: "https://x/y", secret: {env: KEY}}
    alarm: {kind: aodh, url: {env: ALARM}}
    bus: {kind: amqp, url: {env: BUS}}`,
    { KEY: `whsec_${KEY}`, ALARM: 'http://x/s3cret', BUS: 'amqps://me:s3cret@x/cloud' },
  );
  const all = ['maintenance.scheduled', 'maintenance.host', 'maintenance.session'];
  assert.deepEqual(notifications.sinks, {
    hook: { kind: 'webhook', url: 'https://x/y', secret: `whsec_${KEY}`, events: all, timeout: '10m' },
    alarm: { kind: 'aodh', url: 'http://x/s3cret', events: all.slice(0, 1), timeout: '10m' },
    bus: {
      ...{ kind: 'amqp', url: 'amqps://me:s3cret@x/cloud', events: all, timeout: '30s' },
      ...{ exchange: 'openstack', topic: 'notifications', queues: 'transient' },
    },
  });
});

test('a secret that is not there is named by its path', () => {
  assert.deepEqual(problemsOf(withHeader('{env: TOKEN}')), [
    'actions.webhook.endpoints.tool.headers.Authorization: environment variable TOKEN is not set, or empty',
  ]);
  assert.deepEqual(problemsOf(withHeader('{file: nowhere}')), [
    'actions.webhook.endpoints.tool.headers.Authorization: file nowhere cannot be read, or is empty',
  ]);
});

test('no message shows the value of a secret', () => {
  const content = `${SITES}\nworker: {serves: [{env: SECRET}]}`;
  const problems = problemsOf(content, { SECRET: 'hunter2' });
  assert.match(problems.join(), /worker\.serves\.0/);
  assert.doesNotMatch(problems.join(), /hunter2/);
});

test('a lock controller reads its section alone, and gives those who work on a node time', () => {
  const section = 'lockController: {controllerName: lc, site: demo, session: {timeouts: {drain: 1h}}}';
  const elsewhere = 'notifications: {sinks: {it: {secret: {env: NOT_HERE}}}}';
  const settings = loadLockController(write(`${section}\n${elsewhere}`), {});
  assert.equal(settings.kubernetes.timeout, '30s');
  assert.deepEqual(settings.nodes, { selector: {} });
  const { drain, work, host } = settings.session.timeouts;
  assert.deepEqual({ drain, work, host }, { drain: '1h', work: '7d', host: '8d' });
  assert.equal(settings.session.instances.mode, 'live');
  assert.deepEqual(loadConfig(write(`${SITES}\n${section}`), {}).lockController, settings);
});

test('what is wrong with the section of a lock controller is said by its path', () => {
  const problems = (content: string): readonly string[] => {
    try {
      loadLockController(write(content), {});
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      return error.problems;
    }
    return assert.fail('was accepted');
  };
  assert.match(problems(SITES)[0] ?? '', /^lockController: is missing/);
  const found = problems(
    'lockController: {controllerName: L C, site: demo, nodes: {hostLabel: a, hostAnnotation: b}, session: {hosts: []}}',
  );
  assert.match(found[0] ?? '', /^lockController\.controllerName: must be a name of small letters/);
  assert.match(found[1] ?? '', /^lockController\.nodes: must have either hostLabel or hostAnnotation$/);
  assert.match(found[2] ?? '', /^lockController\.session\.hosts: is not a key/);
});
