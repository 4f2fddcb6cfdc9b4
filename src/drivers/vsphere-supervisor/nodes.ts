/**
 * Nodes of a Supervisor: `vcenter/namespace-management/clusters/CLUSTER/nodes`. Entering maintenance takes the pods off a
 * node and schedules no more there; neither way can be cancelled, but leaving ends an entering that runs.
 */
import { MaintenanceError } from '../../core/errors.ts';
import type { SupervisorOptions } from '../../core/platform-options.ts';
import type { CallContext, TaskStatus } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { vendorOf } from '../vsphere/fault.ts';
import { VapiError, type Rest } from './rest.ts';
import { identifier, taskInfo, wordsIn, type TaskInfo } from './wire.ts';

/** An operation on a node, as the API calls it. */
type Operation = 'enter_maintenance_mode' | 'exit_maintenance_mode';

/** The host is not a node of this Supervisor, or not any more. */
export class NoNode extends MaintenanceError {}

export class Nodes {
  readonly #rest: Rest;
  readonly #cluster: string;

  /** @param cluster id of the cluster that the Supervisor is enabled on: `domain-c8` */
  constructor(rest: Rest, cluster: string) {
    this.#rest = rest;
    this.#cluster = cluster;
  }

  /**
   * Starts to take the pods off a host, by its id; resolves to the id of the task, or undefined when that is done already.
   * Throws NoNode, Unsupported when the cluster has no Supervisor, NotAuthorized.
   */
  enter(
    host: string,
    action: SupervisorOptions['action'] | undefined,
    context: CallContext,
  ): Promise<string | undefined> {
    return this.#ask('enter_maintenance_mode', host, action === undefined ? {} : { action }, context);
  }

  /**
   * Starts to let pods on again; undefined when they are, and when there is nothing to take back: the host is no node any
   * more, or the cluster has no Supervisor.
   */
  async exit(host: string, context: CallContext): Promise<string | undefined> {
    try {
      return await this.#ask('exit_maintenance_mode', host, {}, context);
    } catch (error) {
      if (error instanceof NoNode) return undefined;
      throw error;
    }
  }

  async poll(task: string, kind: 'cordon' | 'uncordon', context: CallContext): Promise<TaskStatus> {
    const path = `/rest/cis/tasks/${encodeURIComponent(task)}`;
    const info = await unlessGone(this.#rest.call({ method: 'GET', path, schema: taskInfo }, context));
    return info ? statusOf(info, kind) : { state: 'vanished' };
  }

  close(): Promise<void> {
    return this.#rest.close();
  }

  async #ask(
    operation: Operation,
    host: string,
    more: Readonly<Record<string, string>>,
    context: CallContext,
  ): Promise<string | undefined> {
    const call = {
      method: 'POST',
      path: `/rest/vcenter/namespace-management/clusters/${encodeURIComponent(this.#cluster)}/nodes`,
      query: { action: operation },
      body: { node: { node_type: 'HostSystem', node_id: host }, ...more },
      schema: identifier,
    } as const;
    try {
      return await this.#rest.call(call, context);
    } catch (error) {
      if (!(error instanceof VapiError)) throw error;
      if (error.kind === 'already_in_desired_state') return undefined;
      throw this.#explained(error, operation, host);
    }
  }

  /** What the errors of this API come to for an operator. */
  #explained(error: VapiError, operation: Operation, host: string): MaintenanceError {
    const cluster = this.#cluster;
    const told = { cause: error, ...vendorOf(error) };
    switch (error.kind) {
      case 'invalid_element_configuration':
        return new NoNode(
          'HostBlocked',
          `${host} is no node of the Supervisor of cluster ${cluster}: see the state of the host there, or skip it`,
          told,
        );
      case 'not_found':
        return new NoNode(
          'Unsupported',
          `cluster "${cluster}" of the site is not enabled for Namespaces: name the cluster of the Supervisor`,
          told,
        );
      case 'unsupported':
        return new MaintenanceError(
          'Unsupported',
          `this Supervisor has no ${operation} for ESXi hosts`,
          told,
        );
      case 'unauthorized':
        return new MaintenanceError(
          'NotAuthorized',
          `${operation} of ${host}: only the vpxd solution user may call this API. Give the vSphere site beneath ` +
            `credentials that act as that user, or take these hosts out by the vSphere site alone`,
          told,
        );
      default:
        return new MaintenanceError(error.code, `${operation} of ${host} in cluster ${cluster} failed`, told);
    }
  }
}

const FAILURES = {
  cordon: ['EnterFailed', 'the Supervisor did not take the pods off'],
  uncordon: ['ExitFailed', 'the Supervisor did not take the node back'],
} as const;

function statusOf({ status, progress, error }: TaskInfo, kind: 'cordon' | 'uncordon'): TaskStatus {
  if (status === 'SUCCEEDED') return { state: 'done' };
  if (status === 'FAILED') {
    const vendor = wordsIn(error) ?? 'no reason given';
    const [code, what] = FAILURES[kind];
    return { state: 'failed', error: new MaintenanceError(code, `${what}: ${vendor}`, { vendor }) };
  }
  const share =
    progress && progress.total > 0 ? { progress: (100 * progress.completed) / progress.total } : {};
  return { state: 'running', ...share, detail: status.toLowerCase() };
}
