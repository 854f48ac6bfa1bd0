/** Names on the server that nobody may manage, because the server or its provider lives by them. */
import type { EngineName, ServerInfo } from '../engines/engine.ts';
import { ResourceError } from './errors.ts';

const ROLES: Record<EngineName, RegExp> = {
  postgres: /^(pg_.*|postgres|public|none|current_user|session_user|current_role|rds.*|cloudsql.*|azure.*|alloydb.*)$/,
  cockroachdb: /^(crdb_internal.*|pg_.*|root|admin|node|public|none)$/,
  mysql:
    /^(mysql\..*|xdatabase\..*|root|event_scheduler|system user|rds.*admin|rds_superuser.*|rdstopmgr|cloudsql.*|cloudiam.*|azure_.*|aws_.*)$/i,
  mariadb: /^(mariadb\..*|mysql|mysql\..*|root|rds.*admin|rds_superuser.*|rdstopmgr|azure_.*|public|none)$/i,
};

const DATABASES: Record<EngineName, RegExp> = {
  postgres: /^(postgres|template[01]|rdsadmin|cloudsqladmin|alloydbadmin|azure_maintenance|azure_sys)$/,
  cockroachdb: /^(system|defaultdb|postgres)$/,
  mysql: /^(mysql|sys|information_schema|performance_schema)$/i,
  mariadb: /^(mysql|sys|information_schema|performance_schema)$/i,
};

/** Names of logins and databases that live for one run of a backup, a restore or a script. */
const RUNS = /^xdatabase_(run|beside|replaced)_/i;

const refuse = (what: string, name: string): never => {
  throw new ResourceError(
    'ReservedName',
    `the ${what} ${JSON.stringify(name)} belongs to the server and cannot be managed; choose another external name`,
    { retryable: false },
  );
};

/** The administrator manages itself no more than it manages the server's own roles. */
export function refuseReservedRole(engine: EngineName, name: string, admin: string): void {
  if (name === admin || ROLES[engine].test(name) || RUNS.test(name)) refuse('role', name);
}

export function refuseReservedDatabase(engine: EngineName, name: string): void {
  if (DATABASES[engine].test(name) || RUNS.test(name)) refuse('database', name);
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

/** Counted as the server counts: in bytes, or in characters. */
export function refuseLongName(engine: EngineName, what: string, name: string): void {
  const isInBytes = engine === 'postgres' || engine === 'cockroachdb';
  const limit = isInBytes ? 63 : what !== 'role' ? 64 : engine === 'mariadb' ? 128 : 32;
  const size = isInBytes ? Buffer.byteLength(name) : Array.from(name).length;
  if (size > limit)
    throw new ResourceError(
      'InvalidSpec',
      `the ${what} name ${JSON.stringify(name)} has ${size} ${isInBytes ? 'bytes' : 'characters'}; the server takes at most ${limit}`,
      { retryable: false },
    );
}
