/** What a server that makes backups by itself cannot do of what a resource may ask for: told, never left out silently. */
import { invalidSpec } from '../../resources/errors.ts';

type Fields = Readonly<Record<string, unknown>>;

const BACKUP: readonly [field: string, isAsked: (value: unknown) => boolean, remedy: string][] = [
  ['encryption', (value) => value !== undefined, 'use cockroachdb.passphraseSecretRef or cockroachdb.kmsUri'],
  ['compressionLevel', (value) => value !== undefined, 'CockroachDB compresses as it thinks best; remove it'],
  ['countRows', (value) => value === true, 'remove it'],
  ['filePolicy', (value) => value === 'Delete', 'let a lifecycle rule of the bucket remove old backups'],
  ['fileName', (value) => value !== undefined, 'CockroachDB names its backups by their time; remove it'],
  ['retention', (value) => value !== undefined, 'let a lifecycle rule of the bucket remove old backups'],
  ['verify', (value) => value !== undefined, 'make a Restore into another Database'],
  ['jitter', (value) => value !== undefined, 'remove it'],
  ['startingDeadlineSeconds', (value) => value !== undefined, 'remove it'],
  ['concurrencyPolicy', (value) => value === 'Replace', 'use Forbid or Allow'],
  [
    'timeZone',
    (value) => value !== undefined && !/^(Etc\/)?(UTC|GMT|Zulu|Universal)$/.test(value as string),
    'write the schedule in UTC',
  ],
  ['identitySecretRef', (value) => value !== undefined, 'use cockroachdb.passphraseSecretRef or cockroachdb.kmsUri'],
];

/** Throws InvalidSpec for a field that would be without effect. */
export function refuseWhatOthersDo(fields: Fields): void {
  for (const [field, isAsked, remedy] of BACKUP)
    if (isAsked(fields[field])) throw invalidSpec(`forProvider.${field}: not with CockroachDB; ${remedy}`);
}
