/** Fields of a spec that a server of some engine has nothing for. They are refused, never ignored. */
import type { EngineName } from '../api/engines.ts';
import { invalidSpec } from '../common/errors.ts';

type Fields = readonly (readonly [path: string, remedy?: string])[];

const ATTRIBUTES: Fields = [
  ['privileges.superUser', 'a Grant on the whole server gives such rights'],
  ['privileges.createDb', 'a Grant of CREATE on the whole server gives that right'],
  ['privileges.createRole', 'a Grant of CREATE USER on the whole server gives that right'],
  ['privileges.inherit'],
  ['privileges.replication', 'a Grant of REPLICATION SLAVE on the whole server gives that right'],
  ['privileges.bypassRls'],
  ['configurationParameters'],
  ['validUntil', 'forProvider.passwordLifetimeDays limits the age of a password'],
  ['onDelete.reassignOwnedTo'],
  ['onDelete.reassignOwnedToAdmin'],
  ['onDelete.dropOwned'],
];
const ACCOUNTS: Fields = [
  ['host'],
  ['require'],
  ['resourceOptions'],
  ['authenticationPlugin'],
  ['accountLocked'],
  ['passwordLifetimeDays'],
  ['passwordRotation.overlap'],
];
const OF_DATABASES: Fields = [
  ['owner', 'a Grant of ALL on the database makes an account its owner'],
  ['encoding', 'give forProvider.characterSet'],
  ['characterClassification'],
  ['localeProvider'],
  ['locale'],
  ['icuRules'],
  ['template'],
  ['tablespace'],
  ['strategy'],
  ['allowConnections'],
  ['connectionLimit'],
  ['isTemplate'],
  ['settings'],
];

const UNKNOWN: Record<'Role' | 'Database', Record<EngineName, Fields>> = {
  Role: { postgres: ACCOUNTS, cockroachdb: ACCOUNTS, mysql: ATTRIBUTES, mariadb: ATTRIBUTES },
  Database: {
    postgres: [['characterSet', 'give forProvider.encoding'], ['comment']],
    cockroachdb: [],
    mysql: [...OF_DATABASES, ['comment', 'only MariaDB has comments of databases']],
    mariadb: OF_DATABASES,
  },
};

/** Throws InvalidSpec for the first field that is given and unknown. */
export function refuseUnknownFields(kind: 'Role' | 'Database', spec: object, engine: EngineName): void {
  for (const [path, remedy] of UNKNOWN[kind][engine]) {
    const value = path
      .split('.')
      .reduce<unknown>((within, key) => (within as Record<string, unknown> | undefined)?.[key], spec);
    if (value !== undefined && value !== false)
      throw invalidSpec(
        `forProvider.${path} means nothing to ${engine}${remedy === undefined ? '; leave it out' : `: ${remedy}`}`,
      );
  }
}
