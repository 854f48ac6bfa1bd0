/** How the pods of backup, restore and copy jobs are run. */
import { z } from 'zod';
import { objectName } from './text.ts';

const quantities = (what: string) =>
  z
    .record(z.string(), z.union([z.int(), z.string()]).meta({ 'x-kubernetes-int-or-string': true }))
    .optional()
    .describe(what);

export const resources = z
  .object({
    requests: quantities('What a container is promised, e.g. memory: 256Mi.'),
    limits: quantities('What a container may use at most.'),
  })
  .describe('Resources of each container of the job.');

const text = (what: string) => z.record(z.string(), z.string()).optional().describe(what);

export const jobSettings = z
  .object({
    serviceAccountName: objectName(
      'ServiceAccount of the pods, e.g. one with a web identity for the storage.',
    ).optional(),
    concurrency: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe('How many jobs of this server may run at a time; others wait.'),
    ttlSecondsAfterFinished: z.int().min(0).default(86400).describe('How long a finished Job is kept, in seconds.'),
    resources: resources.optional(),
    nodeSelector: text('Labels of the nodes that may run the pods.'),
    tolerations: z
      .array(
        z.object({
          key: z.string().optional().describe('Taint; every taint when not given.'),
          operator: z
            .enum(['Exists', 'Equal'])
            .optional()
            .describe('Whether value must be equal (the default) or the taint only be there.'),
          value: z.string().optional().describe('Value of the taint.'),
          effect: z
            .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
            .optional()
            .describe('Effect of the taint; every effect when not given.'),
          tolerationSeconds: z.int().optional().describe('How long NoExecute is tolerated, in seconds.'),
        }),
      )
      .optional()
      .describe('Taints that the pods tolerate.'),
    podLabels: text('Labels of the pods.'),
    podAnnotations: text('Annotations of the pods.'),
    imagePullSecrets: z
      .array(z.object({ name: objectName('Name of the Secret.') }))
      .max(16)
      .optional()
      .describe('Secrets with which the images are pulled.'),
  })
  .describe('How the pods of backup, restore and copy jobs of this server run.');

export type JobSettings = z.infer<typeof jobSettings>;
export type Resources = z.infer<typeof resources>;
