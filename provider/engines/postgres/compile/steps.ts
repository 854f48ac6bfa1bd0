/** Any step as SQL, and where and how it runs. */
import { Secret } from '../../../common/secret.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { dropStatement } from '../drop-database.ts';
import { ident, type Sql, sql, tenantScript } from '../sql.ts';
import * as databases from './databases.ts';
import { compileGrantStep, compileGrantSteps, type GrantStep, isGrantStep } from './grants.ts';
import * as roles from './roles.ts';

/** What a step needs that only the server or a computation can give. */
export interface Prepared {
  /** SCRAM verifier of the step's password. */
  verifier?: Secret;
  /** The comment that a marked object has already. */
  comment?: string | null;
}

/** Steps of one transaction; neighbouring grants become as few statements as they can. */
export function compileSteps(
  steps: readonly Step[],
  info: ServerInfo,
  prepared: ReadonlyMap<Step, Prepared> = new Map(),
): Sql[] {
  const statements: Sql[] = [];
  let grants: GrantStep[] = [];
  const flush = (): void => {
    if (grants.length > 0) statements.push(...compileGrantSteps(grants, info));
    grants = [];
  };
  for (const step of steps)
    if (isGrantStep(step)) grants.push(step);
    else {
      flush();
      statements.push(...compileStep(step, info, prepared.get(step)));
    }
  flush();
  return statements;
}

export function compileStep(step: Step, info: ServerInfo, { verifier, comment }: Prepared = {}): Sql[] {
  switch (step.kind) {
    case 'createDatabase':
      return databases.createDatabase(step, info);
    case 'alterDatabase':
      return databases.alterDatabase(step, info);
    case 'setDatabaseSetting':
      return databases.setDatabaseSetting(step);
    case 'dropDatabase':
      // Shown only: see drop-database.ts.
      return [dropStatement(step.name)];
    case 'initSQL':
      // Shown only: it runs as a login of its own, see init-sql.ts.
      return [sql`SET ROLE ${ident(step.owner)}`, tenantScript(step.sql), sql`RESET ROLE`];
    case 'endScript':
      // Shown only: see jobs/logins.ts.
      return [sql`DROP OWNED BY ${ident(step.login)}`, sql`DROP ROLE IF EXISTS ${ident(step.login)}`];
    case 'createSchema':
      return databases.createSchema(step);
    case 'alterSchemaOwner':
      return databases.alterSchemaOwner(step);
    case 'revokeSchemaPublic':
      return databases.revokeSchemaPublic(step);
    case 'dropSchema':
      return databases.dropSchema(step);
    case 'createExtension':
      return databases.createExtension(step, comment);
    case 'updateExtension':
      return databases.updateExtension(step);
    case 'moveExtension':
      return databases.moveExtension(step);
    case 'dropExtension':
      return databases.dropExtension(step);
    case 'createRole':
      return roles.createRole(step, step.password === undefined ? undefined : (verifier ?? PLACEHOLDER));
    case 'alterRole':
      return roles.alterRole(step);
    case 'setPassword':
      return roles.setPassword(step, verifier ?? PLACEHOLDER);
    case 'setRoleSetting':
      return roles.setRoleSetting(step);
    case 'reassignOwned':
      return roles.reassignOwned(step);
    case 'dropOwned':
      return roles.dropOwned(step);
    case 'dropRole':
      return roles.dropRole(step);
    case 'dropMark':
      // Nothing marks a role there that outlives it.
      return [];
    case 'mark':
      return [databases.mark(step.on, step.mark, comment)];
    case 'grant':
    case 'revoke':
    case 'grantDefault':
    case 'revokeDefault':
    case 'grantMembership':
    case 'revokeMembership':
      return compileGrantStep(step, info);
  }
}

/** For texts that are shown and never sent: a secret is hidden there anyway. */
const PLACEHOLDER = new Secret('');

/** The database in which a step runs; undefined = any, so the one that is logged in to anyway. */
export function databaseOf(step: Step): string | undefined {
  switch (step.kind) {
    case 'grant':
    case 'revoke':
      return ['database', 'tablespace', 'parameter', 'global'].includes(step.on.type) ? undefined : step.on.database;
    case 'mark':
      return step.on.type === 'schema' || step.on.type === 'extension' ? step.on.database : undefined;
    case 'createSchema':
    case 'alterSchemaOwner':
    case 'revokeSchemaPublic':
    case 'dropSchema':
    case 'createExtension':
    case 'updateExtension':
    case 'moveExtension':
    case 'dropExtension':
    case 'reassignOwned':
    case 'dropOwned':
    case 'grantDefault':
    case 'revokeDefault':
    case 'initSQL':
    case 'endScript':
      return step.database === '' ? undefined : step.database;
    default:
      return undefined;
  }
}

/** Whether the step must run outside a transaction. */
export const runsAlone = (step: Step): boolean =>
  step.kind === 'createDatabase' ||
  step.kind === 'dropDatabase' ||
  step.kind === 'initSQL' ||
  step.kind === 'endScript' ||
  (step.kind === 'alterDatabase' && step.tablespace !== undefined);
