/** The section `lockController` of the configuration: whose locks it keeps, for which nodes, and how hosts are emptied. */
import { z } from 'zod';
import { sessionSpec } from '../core/session-spec.ts';
import { clusterFields } from '../kubernetes/kubeconfig.ts';

/** Between emptying a host and putting it back lies the work of others, however long they take. */
const PATIENT = { work: '7d', host: '8d' };

const { budget, instances, timeouts } = sessionSpec.shape;

const label = z.string().min(1);

/** A section whose keys all have defaults may be left out, or left empty. */
const section = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>> =>
  z.preprocess((value) => value ?? {}, schema);

const session = z.strictObject({
  instances,
  budget,
  timeouts: z.preprocess(
    (value) => (typeof value === 'object' && value !== null ? { ...PATIENT, ...value } : (value ?? PATIENT)),
    timeouts,
  ),
});

const nodes = z
  .strictObject({
    selector: z
      .record(label, z.string())
      .default({})
      .describe('Labels of the nodes that it keeps locks for; empty: all nodes'),
    hostLabel: label.optional().describe('Label of a node that names its host'),
    hostAnnotation: label.optional().describe('Annotation of a node that names its host'),
  })
  .refine(
    ({ hostLabel, hostAnnotation }) => hostLabel === undefined || hostAnnotation === undefined,
    'must have either hostLabel or hostAnnotation',
  );

/** The section; `name` is what a site may be called. */
export const lockControllerSchema = (name: z.ZodType<string, string>) =>
  z.strictObject({
    controllerName: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
        'must be a name of small letters, digits and "-", at most 63 characters',
      )
      .describe('Whose locks these are; the names of the locks begin with it'),
    site: name.describe('Site that the hosts of the nodes belong to'),
    release: z
      .string()
      .min(1)
      .optional()
      .describe('Release that it is of: requests for another one are deferred; absent: it obeys all'),
    kubernetes: section(z.strictObject(clusterFields)),
    nodes: section(nodes),
    session: section(session).describe('Of the sessions that it starts: as in the input of a session'),
  });

/** A checked section with every default filled in. */
export type LockControllerSettings = z.output<ReturnType<typeof lockControllerSchema>>;
