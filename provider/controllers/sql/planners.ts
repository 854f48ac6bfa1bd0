/** The planners of the kinds that are made of SQL. */
import { privilegeTables } from '../../engines/registry.ts';
import { DatabasePlanner } from '../../resources/database.ts';
import { DefaultPrivilegesPlanner } from '../../resources/default-privileges.ts';
import { ExtensionPlanner } from '../../resources/extension.ts';
import { GrantPlanner } from '../../resources/grant.ts';
import type { Planner } from '../../resources/planner.ts';
import { RolePlanner } from '../../resources/role.ts';
import { SchemaPlanner } from '../../resources/schema.ts';

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
