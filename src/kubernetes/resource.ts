/** Kinds of objects: where the API keeps them, and as much of each as is read here. */
import { z } from 'zod';

export const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  /** RFC 3339: it is being deleted, and finalizers hold it. */
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z
    .array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().optional() }))
    .default([]),
});
export type Metadata = z.output<typeof metadata>;

export interface KubernetesObject {
  metadata: Metadata;
}

/** A kind of objects. */
export interface Resource<T extends KubernetesObject> {
  apiVersion: string;
  kind: string;
  plural: string;
  schema: z.ZodType<T>;
}

/** One object of a kind. */
export interface ObjectName {
  name: string;
  namespace?: string;
}

/** `/api/v1/nodes`, `/api/v1/namespaces/shop/pods/web-1`. */
export function pathOf({ apiVersion, plural }: Resource<KubernetesObject>, of?: Partial<ObjectName>): string {
  const parts = [
    ...(of?.namespace === undefined ? [] : ['namespaces', of.namespace]),
    plural,
    ...(of?.name === undefined ? [] : [of.name]),
  ];
  const root = apiVersion.includes('/') ? 'apis' : 'api';
  return `/${root}/${apiVersion}/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}
