/** What Copy and CopySchedule have in common. */
import { z } from 'zod';
import { referable, requiresReference } from './common.ts';
import type { CelRule } from './kind.ts';
import { differentDatabases, targetFields } from './restore-fields.ts';
import { ownServerOnly } from './run.ts';
import { objectName } from './text.ts';

export const copyFields = {
  ...referable('sourceDatabase', 'Database', 'Database that is copied. It is only read, in one snapshot.'),
  sourceProviderConfigRef: z
    .object({
      kind: z
        .enum(['ProviderConfig', 'ClusterProviderConfig'])
        .default('ClusterProviderConfig')
        .describe('Kind of the configuration: ProviderConfig (in this namespace) or ClusterProviderConfig.'),
      name: objectName('Name of the configuration.'),
    })
    .optional()
    .describe('Server of the source, when it is another than that of the target; it must be of the same engine.'),
  ...targetFields,
  transformSQL: z
    .string()
    .min(1)
    .max(65536)
    .optional()
    .describe(
      'SQL that runs in the copy, with the rights of its owner, before anybody else may connect, e.g. to make persons anonymous. When it fails the copy fails, and nothing of it is kept.',
    ),
};

/** A job that reads from a server of the platform runs beside its credentials, whatever the target is. */
const ownIdentityOnly: CelRule[] = [
  ownServerOnly('serviceAccountName'),
  {
    rule: "!has(self.forProvider.serviceAccountName) || !has(self.forProvider.sourceProviderConfigRef) || self.forProvider.sourceProviderConfigRef.kind == 'ProviderConfig'",
    message:
      'forProvider.serviceAccountName can be used with a ProviderConfig only: sourceProviderConfigRef is a ClusterProviderConfig',
  },
];

/** What Copy and CopySchedule are beside their fields. */
export const copyKind = {
  group: 'backup' as const,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  immutable: ['sourceDatabase', 'targetDatabase'],
  rules: [
    requiresReference('sourceDatabase'),
    requiresReference('targetDatabase'),
    differentDatabases,
    ...ownIdentityOnly,
  ],
};
