/** Any step as SQL. */
import { ResourceError } from '../../../common/errors.ts';
import { Secret } from '../../../common/secret.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { ident, join, keyword, sql, tenantScript } from '../../postgres/sql.ts';
import { type Command, command } from '../command.ts';
import * as databases from './databases.ts';
import * as grants from './grants.ts';
import * as roles from './roles.ts';

/** What only the server or a computation can give. */
export interface Prepared {
  /** SCRAM verifier of the step's password. */
  verifier?: Secret;
  /** The comment that a marked object has already. */
  comment?: string | null;
  /** What has to be done first so that the step can succeed. */
  before?: Command[];
}

/** For texts that are shown and never sent: a secret is hidden there anyway. */
const PLACEHOLDER = new Secret('');

/** Steps that one statement makes, see `mergeGrants`. */
export function compileGroup(group: readonly Step[], info: ServerInfo, prepared: Prepared = {}): Command[] {
  const [step] = group;
  if (step === undefined) return [];
  if (step.kind === 'grant' || step.kind === 'revoke')
    return grants.grantObjects(group as (typeof step)[], info, info.admin.name);
  return [...(prepared.before ?? []), ...compileStep(step, info, prepared)];
}

function compileStep(
  step: Exclude<Step, { kind: 'grant' | 'revoke' }>,
  info: ServerInfo,
  prepared: Prepared,
): Command[] {
  const { verifier, comment } = prepared;
  switch (step.kind) {
    case 'createDatabase':
      return databases.createDatabase(step);
    case 'alterDatabase':
      return databases.alterDatabase(step);
    case 'setDatabaseSetting':
      return databases.setDatabaseSetting(step);
    case 'dropDatabase':
      return databases.dropDatabase(step);
    case 'initSQL':
      // Shown only: it runs as a login of its own, see init-sql.ts.
      return [command(sql`SET ROLE ${ident(step.owner)}`), command(tenantScript(step.sql)), command(sql`RESET ROLE`)];
    case 'endScript':
      // Shown only: see init-sql.ts.
      return [command(sql`DROP OWNED BY ${ident(step.login)}`), command(sql`DROP ROLE IF EXISTS ${ident(step.login)}`)];
    case 'createSchema':
      return databases.createSchema(step);
    case 'alterSchemaOwner':
      return databases.alterSchemaOwner(step);
    case 'revokeSchemaPublic':
      return [
        command(
          sql`REVOKE ${join(step.privileges.map((name) => keyword(name, ['ALL', 'CREATE', 'USAGE'])))} ON SCHEMA ${ident(step.name)} FROM public`,
        ),
      ];
    case 'dropSchema':
      return databases.dropSchema(step);
    case 'createExtension':
    case 'updateExtension':
    case 'moveExtension':
    case 'dropExtension':
      throw new ResourceError('NotSupported', `${info.product} has no extensions`, { retryable: false });
    case 'createRole':
      return roles.createRole(step, info, step.password === undefined ? undefined : (verifier ?? PLACEHOLDER));
    case 'alterRole':
      return roles.alterRole(step, info);
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
      // Roles carry no comments: what made one is known from the resource alone.
      return step.on.type === 'role' ? [] : [databases.mark(step.on, step.mark, comment)];
    case 'grantDefault':
    case 'revokeDefault':
      return grants.changeDefault(step, info);
    case 'grantMembership':
      return grants.grantMembership(step);
    case 'revokeMembership':
      return grants.revokeMembership(step);
  }
}
