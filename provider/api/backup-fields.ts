/** What Backup and BackupSchedule have in common: what is backed up, and how the file is made. */
import { z } from 'zod';
import { referable, requiresReference } from './common.ts';
import { backoffLimit, ownServerOnly, ownStorageOnly, runFields } from './run.ts';
import { storage } from './storage.ts';
import { matching } from './text.ts';

export const backupFields = {
  ...referable('database', 'Database', 'Database that is backed up.'),
  storage,
  compression: z
    .enum(['zstd', 'gzip', 'none'])
    .default('zstd')
    .describe('How the file is compressed; the ending of its name says it too.'),
  compressionLevel: z
    .int()
    .min(1)
    .max(19)
    .optional()
    .describe('How hard it is compressed: 1 to 19 for zstd (3 when not given), 1 to 9 for gzip (6 when not given).'),
  encryption: z
    .object({
      recipients: z
        .array(matching(/^age1[a-z0-9]+$/, 'must be the public key of an age recipient, which begins with age1', 2048))
        .min(1)
        .max(16)
        .meta({ 'x-kubernetes-list-type': 'set' })
        .describe(
          'Public keys. Whoever has the private key of one of them can read the file; the cluster need not have any.',
        ),
    })
    .optional()
    .describe('Encrypts the file with age before it leaves the pod.'),
  countRows: z
    .boolean()
    .default(false)
    .describe(
      'Whether the rows of every table are counted, in the snapshot of the dump, and recorded in the manifest.',
    ),
  filePolicy: z
    .enum(['Keep', 'Delete'])
    .default('Keep')
    .describe('What becomes of the files when this resource is deleted: Keep (the default) or Delete.'),
  backoffLimit,
  ...runFields,
};

const compressionLevelFits = {
  rule: "!has(self.forProvider.compressionLevel) || self.forProvider.compression == 'zstd' || (self.forProvider.compression == 'gzip' && self.forProvider.compressionLevel <= 9)",
  message: 'forProvider.compressionLevel is 1 to 19 for zstd and 1 to 9 for gzip; none has no level',
};

/** What Backup and BackupSchedule are beside their fields. */
export const backupKind = {
  group: 'backup' as const,
  references: [{ field: 'database', kind: 'Database' }],
  rules: [
    requiresReference('database'),
    compressionLevelFits,
    ownServerOnly('serviceAccountName'),
    ...ownStorageOnly('storage'),
  ],
};
