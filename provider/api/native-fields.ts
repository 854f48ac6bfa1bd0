/** What CockroachDB alone has: its backups are made, scheduled and restored by the server itself. */
import { z } from 'zod';
import { matching, objectName } from './text.ts';

const keys = {
  passphraseSecretRef: z
    .object({
      name: objectName('Name of the Secret, in the namespace of this object.'),
      key: z.string().min(1).max(253).default('passphrase').describe('Key in the Secret.'),
    })
    .optional()
    .describe('Secret with the passphrase that encrypts the backup; without it nobody can restore it.'),
  kmsUri: matching(
    /^(aws-kms|gcp-kms|azure-kms|external):\/\/[^ ?&']+(\?(REGION=[a-z0-9-]+|AUTH=implicit)(&(REGION=[a-z0-9-]+|AUTH=implicit))*)?$/,
    'must be the URI of a key without credentials, e.g. external://backup-key',
    2048,
  )
    .optional()
    .describe(
      'Key of a key management service that encrypts the backup, e.g. external://backup-key for an external connection of the server. Credentials do not belong here.',
    ),
};

const oneKey = {
  rule: '!(has(self.passphraseSecretRef) && has(self.kmsUri))',
  message: 'only one of passphraseSecretRef and kmsUri can be given',
};

const revisionHistory = z
  .boolean()
  .default(false)
  .describe('Whether every moment since the backup before can be restored, and not only that of the backup.');

export const nativeBackup = z
  .object({ ...keys, revisionHistory })
  .meta({ 'x-kubernetes-validations': [oneKey] })
  .optional()
  .describe('CockroachDB only, which makes its backups by itself.');

export const nativeSchedule = z
  .object({
    ...keys,
    revisionHistory,
    fullBackup: matching(
      /^(Always|@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){4})$/,
      'must be Always, or a cron expression of five fields, e.g. "0 3 * * 0", or @weekly',
      128,
    )
      .optional()
      .describe(
        'When a full backup is made, as a cron expression in UTC; those between are incremental. Always: every backup is full. When not given, CockroachDB chooses: daily, weekly or always, by the schedule.',
      ),
    cancelRunning: z
      .boolean()
      .default(false)
      .describe(
        'Whether a backup that is running is cancelled when this resource is deleted; otherwise it is waited for.',
      ),
  })
  .meta({ 'x-kubernetes-validations': [oneKey] })
  .optional()
  .describe('CockroachDB only, which makes its backups by itself.');

export const nativeRestore = z
  .object(keys)
  .meta({ 'x-kubernetes-validations': [oneKey] })
  .optional()
  .describe('CockroachDB only: what the backup was encrypted with.');

export type NativeKeys = z.infer<typeof nativeRestore>;
