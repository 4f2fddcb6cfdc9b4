/** As much of Keystone and Heat as Tacker's plug-in asks: tokens and a catalog, and a stack that can be scaled. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';
import type { HeatStack } from '../../support/heat-stack.ts';

/**
 * Instances by which the policy scales. Tacker forgets its reply to MAINTENANCE_COMPLETE when it has to scale out more than
 * once, so that one SCALE_IN has to make room enough.
 */
const SCALED_AT_ONCE = 2;

export interface OpenstackOptions {
  /** Address of the REST service, for the catalog. */
  api: string;
  project: string;
  /** What Keystone gives to whoever asks. */
  token: string;
  stackId: string;
  stack: HeatStack;
}

export interface Openstack {
  /** Of Keystone, without the version. */
  url: string;
  /** What nobody was prepared for. */
  unknown: string[];
  close(): Promise<void>;
}

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export async function startOpenstack(options: OpenstackOptions): Promise<Openstack> {
  const unknown: string[] = [];
  const server: Server = createServer((request, response) => {
    answer(request, originOf(server), options).then(
      (found) => {
        if (!found) unknown.push(`${request.method} ${request.url}`);
        const { status, body = {}, headers = {} } = found ?? { status: 404 };
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(JSON.stringify(body));
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await listenOnLoopback(server);
  return { url: originOf(server), unknown, close: () => closeServer(server) };
}

async function answer(
  { method, url = '' }: IncomingMessage,
  own: string,
  options: OpenstackOptions,
): Promise<Answer | undefined> {
  const { project, stackId, stack, token } = options;
  const { pathname } = new URL(url, own);
  const heat = `/heat-api/v1/${project}`;
  const named = `${heat}/stacks/vnf-stack/${stackId}`;
  switch (`${method} ${decodeURIComponent(pathname).replace(/\/$/, '')}`) {
    case 'GET ':
    case 'GET /v3':
      return { status: 200, body: versionAt(own) };
    case 'POST /v3/auth/tokens':
      return {
        status: 201,
        headers: { 'x-subject-token': token },
        body: { token: tokenBody(own, heat, options) },
      };
    case `GET ${heat}/stacks/${stackId}`:
      return { status: 302, headers: { location: `${own}${named}` } };
    case `GET ${heat}/stacks/${stackId}/resources`: {
      const self = { rel: 'self', href: `${own}${named}/resources/VDU1` };
      const servers = (await stack.servers()).map(({ id, name }) => ({
        resource_name: name,
        resource_type: 'OS::Nova::Server',
        resource_status: 'CREATE_COMPLETE',
        physical_resource_id: id,
        links: [self],
      }));
      return { status: 200, body: { resources: servers } };
    }
    case `POST ${named}/resources/SP1_scale_in/signal`:
      for (let step = 0; step < SCALED_AT_ONCE; step += 1) await stack.scaleIn();
      return { status: 200 };
    case `POST ${named}/resources/SP1_scale_out/signal`:
      for (let step = 0; step < SCALED_AT_ONCE; step += 1) await stack.scaleOut();
      return { status: 200 };
    default:
      return undefined;
  }
}

const versionAt = (own: string): unknown => ({
  version: { id: 'v3.14', status: 'stable', links: [{ rel: 'self', href: `${own}/v3/` }] },
});

const tokenBody = (own: string, heat: string, { api, project }: OpenstackOptions): unknown => ({
  methods: ['password'],
  expires_at: '2099-01-01T00:00:00.000000Z',
  issued_at: '2020-01-01T00:00:00.000000Z',
  user: { id: 'tacker', name: 'tacker', domain: { id: 'default', name: 'Default' } },
  project: { id: project, name: 'nfv', domain: { id: 'default', name: 'Default' } },
  roles: [{ id: 'member', name: 'member' }],
  catalog: [
    catalogEntry('identity', `${own}/v3`),
    catalogEntry('orchestration', `${own}${heat}`),
    catalogEntry('maintenance', `${api}/v1`),
  ],
});

const catalogEntry = (type: string, url: string): unknown => ({
  type,
  id: type,
  name: type,
  endpoints: [{ id: type, interface: 'public', region: 'RegionOne', region_id: 'RegionOne', url }],
});
