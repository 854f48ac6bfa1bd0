/** What a server that makes backups by itself cannot do of what a resource may ask for: told, never left out silently. */
import { invalidSpec } from '../common/errors.ts';

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

/** The first field that would be without effect, and what to do instead. */
export function refusedField(fields: Fields): { field: string; remedy: string } | undefined {
  const [field, , remedy] = BACKUP.find(([name, isAsked]) => isAsked(fields[name])) ?? [];
  return field === undefined || remedy === undefined ? undefined : { field, remedy };
}

/** Throws InvalidSpec for a field that would be without effect. */
export function refuseWhatOthersDo(fields: Fields): void {
  const refused = refusedField(fields);
  if (refused !== undefined) throw invalidSpec(`forProvider.${refused.field}: not with CockroachDB; ${refused.remedy}`);
}
