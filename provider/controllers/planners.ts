/** The planners of the kinds that are made of SQL, and the privileges that they know. */
import { COCKROACH_PRIVILEGES } from '../engines/cockroachdb/privileges.ts';
import { MARIADB_PRIVILEGES, MYSQL_PRIVILEGES } from '../engines/mysql/privileges.ts';
import { POSTGRES_PRIVILEGES } from '../engines/postgres/privileges.ts';
import { DatabasePlanner } from '../resources/database.ts';
import { DefaultPrivilegesPlanner } from '../resources/default-privileges.ts';
import { ExtensionPlanner } from '../resources/extension.ts';
import { GrantPlanner } from '../resources/grant.ts';
import type { Planner } from '../resources/planner.ts';
import type { PrivilegeTables } from '../resources/privilege-set-tables.ts';
import { RolePlanner } from '../resources/role.ts';
import { SchemaPlanner } from '../resources/schema.ts';

/** Which privileges there are, by engine. */
export const privilegeTables: PrivilegeTables = {
  postgres: POSTGRES_PRIVILEGES,
  mysql: MYSQL_PRIVILEGES,
  mariadb: MARIADB_PRIVILEGES,
  cockroachdb: COCKROACH_PRIVILEGES,
};

export const planners: ReadonlyMap<string, Planner> = new Map(
  [
    new DatabasePlanner(),
    new SchemaPlanner(),
    new ExtensionPlanner(),
    new RolePlanner(),
    new GrantPlanner(privilegeTables),
    new DefaultPrivilegesPlanner(privilegeTables),
  ].map((planner) => [planner.kind.kind, planner as unknown as Planner] as const),
);
