/** Names on the server that nobody may manage, because the server or its provider lives by them. */
import type { EngineName } from '../api/engines.ts';
import { ResourceError } from '../common/errors.ts';
import type { ServerInfo } from './model/server.ts';

const ROLES: Record<EngineName, RegExp> = {
  postgres:
    /^(pg_.*|postgres|public|PUBLIC|none|current_user|session_user|current_role|rds.*|cloudsql.*|azure.*|alloydb.*)$/,
  cockroachdb: /^(crdb_internal.*|pg_.*|root|admin|node|public|PUBLIC|none|current_user|session_user)$/,
  mysql:
    /^(mysql\..*|xdatabase\..*|root|event_scheduler|system user|rds.*admin|rds_superuser.*|rdstopmgr|cloudsql.*|cloudiam.*|azure_.*|aws_.*)$/i,
  mariadb:
    /^(mariadb\..*|xdatabase\..*|mysql|mysql\..*|root|rds.*admin|rds_superuser.*|rdstopmgr|azure_.*|public|none)$/i,
};

const DATABASES: Record<EngineName, RegExp> = {
  postgres: /^(postgres|template[01]|rdsadmin|cloudsqladmin|alloydbadmin|azure_maintenance|azure_sys)$/,
  cockroachdb: /^(system|defaultdb|postgres)$/,
  mysql: /^(mysql|sys|information_schema|performance_schema)$/i,
  mariadb: /^(mysql|sys|information_schema|performance_schema)$/i,
};

/** Names of logins and databases that live for one run of a backup, a restore or a script. */
const RUNS = /^xdatabase_(run|beside|replaced)_/i;

/** Whether it is a database that a Restore or Copy loads beside its target, and that goes with the run. */
export const isLoadedBeside = (database: string): boolean => /^xdatabase_beside_/i.test(database);

const refuse = (what: string, name: string): never => {
  throw new ResourceError(
    'ReservedName',
    `the ${what} ${JSON.stringify(name)} belongs to the server and cannot be managed; choose another external name`,
    { retryable: false },
  );
};

export const isReservedRole = (engine: EngineName, name: string, admin: string): boolean =>
  name === admin || ROLES[engine].test(name) || RUNS.test(name);

export const isReservedDatabase = (engine: EngineName, name: string): boolean =>
  DATABASES[engine].test(name) || RUNS.test(name);

/** The administrator manages itself no more than it manages the server's own roles. */
export function refuseReservedRole(engine: EngineName, name: string, admin: string): void {
  if (isReservedRole(engine, name, admin)) refuse('role', name);
}

export function refuseReservedDatabase(engine: EngineName, name: string): void {
  if (isReservedDatabase(engine, name)) refuse('database', name);
}

export function refuseReservedSchema(name: string): void {
  if (/^(pg_.*|information_schema|crdb_internal)$/.test(name)) refuse('schema', name);
}

/** Two spellings of one database would be two databases to everybody who looks at names. */
export function refuseFoldedName({ foldsDatabaseNames, product }: ServerInfo, name: string | undefined): void {
  if (foldsDatabaseNames === true && name !== undefined && name !== name.toLowerCase())
    throw new ResourceError(
      'InvalidSpec',
      `${product} keeps names of databases in small letters: write ${JSON.stringify(name.toLowerCase())} instead of ${JSON.stringify(name)}`,
      { retryable: false },
    );
}

/** The servers' own limits: NAMEDATALEN; `mysql.user`, whose column User is wider on MariaDB. */
const LONGEST: Record<EngineName, { unit: 'bytes' | 'characters'; role: number; others: number }> = {
  postgres: { unit: 'bytes', role: 63, others: 63 },
  mysql: { unit: 'characters', role: 32, others: 64 },
  mariadb: { unit: 'characters', role: 128, others: 64 },
  cockroachdb: { unit: 'bytes', role: 63, others: 63 },
};

/** Characters of four bytes, which names on MySQL and MariaDB cannot hold, nor can what they are compared with. */
const FOUR_BYTES = /[\u{10000}-\u{10FFFF}]/u;

/** Whether the server can have nothing of that name, nor even be asked for it. */
export const isImpossibleName = (engine: EngineName, name: string): boolean =>
  LONGEST[engine].unit === 'characters' && FOUR_BYTES.test(name);

export function refuseImpossibleName(engine: EngineName, what: string, name: string): void {
  if (!isImpossibleName(engine, name)) return;
  const character = FOUR_BYTES.exec(name)?.[0] ?? '';
  throw new ResourceError(
    'InvalidSpec',
    `the ${what} name ${JSON.stringify(name)} holds ${JSON.stringify(character)}; the server takes no characters beyond U+FFFF in names`,
    { retryable: false },
  );
}

/** Counted as the server counts: in bytes, or in characters. */
export function refuseLongName(engine: EngineName, what: string, name: string): void {
  refuseImpossibleName(engine, what, name);
  const { unit, role, others } = LONGEST[engine];
  const limit = what === 'role' ? role : others;
  const size = unit === 'bytes' ? Buffer.byteLength(name) : Array.from(name).length;
  if (size > limit)
    throw new ResourceError(
      'InvalidSpec',
      `the ${what} name ${JSON.stringify(name)} has ${size} ${unit}; the server takes at most ${limit}`,
      { retryable: false },
    );
}
