/** The engines there are, and what sets one apart for those who write a spec. */

export const ENGINES = ['postgres', 'mysql', 'mariadb', 'cockroachdb'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Port of an engine when a configuration names none. */
export const DEFAULT_PORTS: Record<EngineName, number> = {
  postgres: 5432,
  mysql: 3306,
  mariadb: 3306,
  cockroachdb: 26257,
};

/** Database that is logged in to when a configuration names none; MySQL and MariaDB need none. */
export const DEFAULT_DATABASES: Record<EngineName, string> = {
  postgres: 'postgres',
  mysql: '',
  mariadb: '',
  cockroachdb: 'defaultdb',
};

export interface EngineTraits {
  /** Whether a database has an owner and holds schemas, and what is in them has owners. */
  hasSchemas: boolean;
  /** Whether a login may begin every session as a group that it is in, so that what it makes is the group's. */
  beginsAsGroup: boolean;
  /** Whether the server makes, schedules and restores its backups by itself, instead of tools beside it. */
  makesOwnBackups: boolean;
  hasExtensions: boolean;
  /**
   * Where a database has an encoding and a locale that are fixed when it is made: the template of one that is to have others
   * than the server's own.
   */
  locales?: { template: string };
  /** The major version that brought the options inherit and set of a membership; 0 = all have what they can have. */
  membershipOptionsSince: number;
}

const onlyDatabases: EngineTraits = {
  hasSchemas: false,
  beginsAsGroup: false,
  makesOwnBackups: false,
  hasExtensions: false,
  membershipOptionsSince: 0,
};

/** Tables and not branches: what an engine needs beyond these it does behind `Engine`. */
export const TRAITS: Readonly<Record<EngineName, EngineTraits>> = {
  postgres: {
    hasSchemas: true,
    beginsAsGroup: true,
    makesOwnBackups: false,
    hasExtensions: true,
    // template1 may hold data in its own encoding and collation, so PostgreSQL refuses any other for copies of it.
    locales: { template: 'template0' },
    membershipOptionsSince: 16,
  },
  mysql: onlyDatabases,
  mariadb: onlyDatabases,
  cockroachdb: {
    hasSchemas: true,
    // It refuses a default for `role`.
    beginsAsGroup: false,
    makesOwnBackups: true,
    hasExtensions: false,
    membershipOptionsSince: 0,
  },
};
