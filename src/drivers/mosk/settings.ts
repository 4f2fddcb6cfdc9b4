/** A site of platform `mosk`: the cluster that MOSK manages. */
import { z } from 'zod';
import { clusterFields } from '../../kubernetes/kubeconfig.ts';

export const configSchema = z.strictObject(clusterFields);
