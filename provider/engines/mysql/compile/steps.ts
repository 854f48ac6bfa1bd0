/** Any step as SQL. */
import { ResourceError } from '../../../common/errors.ts';
import type { Step } from '../../../resources/model/steps.ts';
import type { MysqlInfo } from '../info.ts';
import { type Sql, tenantStatement } from '../sql.ts';
import * as databases from './databases.ts';
import { compileGrantStep } from './grants.ts';
import * as roles from './roles.ts';

/** What a step needs that only the server or a computation can give. */
export interface Prepared {
  authentication?: roles.Authentication;
  /** The comment that a database has already. */
  comment?: string | null;
  /** What the server has under the name of a role. */
  found?: roles.Found;
}

export function compileStep(step: Step, info: MysqlInfo, prepared: Prepared = {}): Sql[] {
  const { comment, found = {} } = prepared;
  switch (step.kind) {
    case 'createDatabase':
      return databases.createDatabase(step, info.engine);
    case 'alterDatabase':
      return databases.alterDatabase(step, info.engine, comment);
    case 'dropDatabase':
      return databases.dropDatabase(step, info.engine);
    case 'createRole':
      return roles.createRole(step, prepared.authentication ?? shown(step, info), info);
    case 'alterRole':
      return roles.alterRole(step, prepared.authentication ?? shown(step, info), info);
    case 'setPassword':
      return roles.setPassword(step, prepared.authentication ?? shown(step, info) ?? PLACEHOLDER, info);
    case 'dropRole':
      return roles.dropRole(step, found, info);
    case 'dropMark':
      return roles.dropLeftMark(step);
    case 'mark':
      return step.on.type === 'database'
        ? databases.markDatabase(step, info.engine, comment)
        : roles.markRole(step, found, info);
    case 'initSQL':
      return [tenantStatement(step.sql)];
    case 'grant':
    case 'revoke':
    case 'grantMembership':
    case 'revokeMembership':
      return compileGrantStep(step, info);
    default:
      throw new ResourceError('NotSupported', `${info.product} has nothing for a step of kind ${step.kind}`, {
        retryable: false,
      });
  }
}

/** What has to be undone when the server has refused a step: what was said of it before. */
export function takeBack(step: Step, info: MysqlInfo): Sql[] {
  if (step.kind === 'createRole') return roles.takeBackRole(step, info);
  return step.kind === 'createDatabase' ? databases.takeBackDatabase(step, info.engine) : [];
}

/** For texts that are shown and never sent: the string itself is hidden there, and the plugin may not be known. */
const HIDDEN = Buffer.from('x');
const PLACEHOLDER: roles.Authentication = { plugin: '', stored: HIDDEN };

function shown(step: Step, info: MysqlInfo): roles.Authentication | undefined {
  if (step.kind === 'setPassword') return { plugin: step.plugin ?? '', stored: HIDDEN };
  if (step.kind !== 'createRole' && step.kind !== 'alterRole') return undefined;
  const { plugin } = step;
  const password = step.kind === 'createRole' ? step.password : undefined;
  if (plugin === undefined && password === undefined) return undefined;
  const hasString = password !== undefined || plugin?.authString !== undefined;
  return { plugin: plugin?.name ?? info.defaultPlugin, ...(hasString ? { stored: HIDDEN } : {}) };
}
