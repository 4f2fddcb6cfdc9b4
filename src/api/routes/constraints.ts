/** What projects say of their instances and groups once and for all. */
import { allowOnly, answers, callerOf, type App } from '../app.ts';
import { assertMayActFor, type Caller } from '../auth/caller.ts';
import type { SiteConstraints } from '../site-constraints.ts';
import { ApiError } from '../errors.ts';
import {
  groupRequest,
  groupStored,
  instanceRequest,
  instanceStored,
  nothing,
  ofGroup,
  ofInstance,
} from '../schemas.ts';
import { groupAnswer, groupConstraintOf, instanceAnswer, instanceConstraintOf } from '../translate.ts';

const INSTANCE = '/v1/instance/:instance';
const GROUP = '/v1/instance_group/:group';

type Kind = 'instance' | 'group';

export function constraintRoutes(app: App, constraints: SiteConstraints): void {
  instanceRoutes(app, constraints);
  groupRoutes(app, constraints);
}

function instanceRoutes(app: App, constraints: SiteConstraints): void {
  const config = { access: 'project' } as const;

  app.put(
    INSTANCE,
    {
      config,
      schema: {
        summary: 'Keep the constraints of an instance',
        params: ofInstance,
        body: instanceRequest,
        response: { 200: instanceStored, ...answers(400, 409, 413, 415) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { instance } = request.params;
      const value = instanceConstraintOf(instance, request.body, ownProject(caller));
      await assertMayChange(constraints, caller, 'instance', instance);
      await constraints.put({ kind: 'instance', value });
      return instanceAnswer(value);
    },
  );

  app.get(
    INSTANCE,
    {
      config,
      schema: {
        summary: 'Constraints of an instance',
        params: ofInstance,
        response: { 200: instanceStored, ...answers(400, 404) },
      },
    },
    async (request) => {
      const { instance } = request.params;
      const found = await constraints.find('instance', instance);
      if (!found) throw new ApiError('NotFound', `There are no constraints of instance "${instance}"`);
      assertMayActFor(callerOf(request), found.project);
      return instanceAnswer(found);
    },
  );

  app.delete(
    INSTANCE,
    {
      config,
      schema: {
        summary: 'Forget the constraints of an instance, if there are any',
        params: ofInstance,
        response: { 200: nothing, ...answers(400) },
      },
    },
    async (request) => {
      await assertMayChange(constraints, callerOf(request), 'instance', request.params.instance);
      await constraints.delete('instance', request.params.instance);
      return {};
    },
  );

  allowOnly(app, INSTANCE, ['GET', 'PUT', 'DELETE']);
}

function groupRoutes(app: App, constraints: SiteConstraints): void {
  const config = { access: 'project' } as const;

  app.put(
    GROUP,
    {
      config,
      schema: {
        summary: 'Keep the constraints of a group of instances',
        params: ofGroup,
        body: groupRequest,
        response: { 200: groupStored, ...answers(400, 409, 413, 415) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { group } = request.params;
      const value = groupConstraintOf(group, request.body, ownProject(caller));
      await assertMayChange(constraints, caller, 'group', group);
      await constraints.put({ kind: 'group', value });
      return groupAnswer(value);
    },
  );

  app.get(
    GROUP,
    {
      config,
      schema: {
        summary: 'Constraints of a group of instances',
        params: ofGroup,
        response: { 200: groupStored, ...answers(400, 404) },
      },
    },
    async (request) => {
      const { group } = request.params;
      const found = await constraints.find('group', group);
      if (!found) throw new ApiError('NotFound', `There are no constraints of group "${group}"`);
      assertMayActFor(callerOf(request), found.project);
      return groupAnswer(found);
    },
  );

  app.delete(
    GROUP,
    {
      config,
      schema: {
        summary: 'Forget the constraints of a group of instances, if there are any',
        params: ofGroup,
        response: { 200: nothing, ...answers(400) },
      },
    },
    async (request) => {
      await assertMayChange(constraints, callerOf(request), 'group', request.params.group);
      await constraints.delete('group', request.params.group);
      return {};
    },
  );

  allowOnly(app, GROUP, ['GET', 'PUT', 'DELETE']);
}

/** What a project says is its own: one client takes a part of an address for its project. */
const ownProject = ({ isAdmin, project }: Caller): string | undefined => (isAdmin ? undefined : project);

/** Throws ApiError NotAllowed for what another project has said. */
async function assertMayChange(
  constraints: SiteConstraints,
  caller: Caller,
  kind: Kind,
  id: string,
): Promise<void> {
  if (caller.isAdmin) return;
  const found = await constraints.find(kind, id);
  if (found) assertMayActFor(caller, found.project);
}
