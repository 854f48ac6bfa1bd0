/** What a run of a job is given, and what it says of itself. */
import { z } from 'zod';
import type { CelRule, PrinterColumn } from './kind.ts';
import { resources } from './jobs.ts';
import { objectName, timestamp } from './text.ts';

export const runFields = {
  activeDeadlineSeconds: z
    .int()
    .min(1)
    .default(86400)
    .describe('How long a run may take, in seconds, before it is ended and counts as failed. By default a day.'),
  resources: resources.optional(),
  serviceAccountName: objectName(
    'ServiceAccount of the pod, with a ProviderConfig only; by default that of the configuration.',
  ).optional(),
};

/** How often a run that changed nothing is tried again. Restores and copies are never repeated by themselves. */
export const backoffLimit = z
  .int()
  .min(0)
  .max(10)
  .default(2)
  .describe('How often a failed run is tried again before it counts as failed.');

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed'] as const;

export const runStatus = {
  phase: z
    .enum(PHASES)
    .optional()
    .describe('How far it is. Succeeded and Failed are final: it never runs again, whatever becomes of its Job.'),
  jobName: z.string().optional().describe('Job that runs it.'),
  jobId: z.string().optional().describe('CockroachDB: id of the job of the server that runs it.'),
  startTime: timestamp.optional().describe('When it started.'),
  completionTime: timestamp.optional().describe('When it ended.'),
  failureReason: z.string().optional().describe('One stable word for why it failed.'),
  failureMessage: z.string().optional().describe('Why it failed, and what to do.'),
};

export const runColumns: PrinterColumn[] = [
  { name: 'PHASE', type: 'string', jsonPath: '.status.atProvider.phase' },
  { name: 'COMPLETED', type: 'date', jsonPath: '.status.atProvider.completionTime' },
];

/** With a ClusterProviderConfig jobs run beside the credentials of the platform, where a tenant chooses neither identity nor volume. */
export const ownServerOnly = (field: string): CelRule => {
  const steps = field.split('.');
  const present = steps.map((_, index) => `has(self.forProvider.${steps.slice(0, index + 1).join('.')})`);
  return {
    rule: `self.providerConfigRef.kind == 'ProviderConfig' || !(${present.join(' && ')})`,
    message: `forProvider.${field} can be used with a ProviderConfig only: jobs of a ClusterProviderConfig run in the namespace of the provider`,
  };
};

/**
 * What a tenant gives as a storage must be within the tenant's own reach: without a key of its own, a bucket would be read
 * and written with the identity of the platform; a volume would be one of the namespace of the provider.
 */
export const ownStorageOnly = (field: string): CelRule[] => {
  const holder = field.split('.').map((_, index, steps) => `self.forProvider.${steps.slice(0, index + 1).join('.')}`);
  const s3 = [...holder, `self.forProvider.${field}.s3`].map((path) => `has(${path})`).join(' && ');
  return [
    ownServerOnly(`${field}.filesystem`),
    {
      rule: `self.providerConfigRef.kind == 'ProviderConfig' || !(${s3}) || has(self.forProvider.${field}.s3.credentialsSecretRef)`,
      message: `forProvider.${field}.s3.credentialsSecretRef is required with a ClusterProviderConfig: its own identity is for its own storages only`,
    },
  ];
};

/** One stored backup, as its manifest describes it. */
export const storedBackup = {
  key: z.string().optional().describe('Key of the file in the storage.'),
  engine: z.string().optional().describe('Engine that it was taken from.'),
  serverVersion: z.string().optional().describe('Version of the server.'),
  size: z.int().optional().describe('Size of the dump, in bytes.'),
  storedSize: z.int().optional().describe('Size of the file, compressed and encrypted, in bytes.'),
  sha256: z.string().optional().describe('SHA-256 of the file.'),
  rows: z.int().optional().describe('Rows of all tables, when they were counted.'),
};
