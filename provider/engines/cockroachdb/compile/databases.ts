/** Databases and schemas as SQL. */
import { ResourceError } from '../../../common/errors.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { withMark } from '../../postgres/mark.ts';
import { settingValue } from '../../postgres/compile/settings.ts';
import { ident, join, literal, type Sql, sql } from '../../postgres/sql.ts';
import { type Command, command } from '../command.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** Fields that only other servers have; `true`: a value that says what is so anyway. */
const REFUSED: readonly [field: string, isHarmless: (value: unknown) => boolean][] = [
  ['template', (value) => value === 'template0'],
  ['encoding', (value) => typeof value === 'string' && /^(utf-?8|unicode)$/i.test(value)],
  ['collation', (value) => value === 'C.UTF-8'],
  ['characterClassification', (value) => value === 'C.UTF-8'],
  ['localeProvider', () => false],
  ['locale', () => false],
  ['icuRules', () => false],
  ['tablespace', () => false],
  ['strategy', () => false],
  ['characterSet', () => false],
  ['allowConnections', (value) => value === true],
  ['connectionLimit', (value) => value === -1],
  ['isTemplate', (value) => value === false],
];

function refuse(step: object): void {
  for (const [field, isHarmless] of REFUSED) {
    const value = (step as Record<string, unknown>)[field];
    if (value !== undefined && !isHarmless(value))
      throw new ResourceError(
        'InvalidSpec',
        `forProvider.${field}: CockroachDB has no such option of a database, or no other value than its own; remove it`,
        { retryable: false },
      );
  }
}

export function createDatabase(step: Of<'createDatabase'>): Command[] {
  refuse(step);
  const options = step.owner === undefined ? [] : [sql`OWNER = ${ident(step.owner)}`];
  const create =
    options.length === 0
      ? sql`CREATE DATABASE ${ident(step.name)}`
      : sql`CREATE DATABASE ${ident(step.name)} WITH ${join(options, ' ')}`;
  const on = { type: 'database' as const, name: step.name };
  return [command(create), ...(step.mark === undefined ? [] : [mark(on, step.mark, step.comment)])];
}

export function alterDatabase(step: Of<'alterDatabase'>): Command[] {
  refuse(step);
  return step.owner === undefined
    ? []
    : [command(sql`ALTER DATABASE ${ident(step.name)} OWNER TO ${ident(step.owner)}`)];
}

export const setDatabaseSetting = ({ name, setting, value }: Of<'setDatabaseSetting'>): Command[] => [
  command(sql`ALTER DATABASE ${ident(name)} ${change(setting, value)}`),
];

/** Of a database or a role. */
export const change = (setting: string, value: string | null): Sql =>
  value === null
    ? sql`RESET ${settingName(setting)}`
    : sql`SET ${settingName(setting)} = ${settingValue(setting, value)}`;

/** Names of settings may have dots, which are no separators. */
const settingName = (name: string): Sql => join(name.split('.').map(ident), '.');

export const createSchema = (step: Of<'createSchema'>): Command[] => [
  command(
    step.owner === undefined
      ? sql`CREATE SCHEMA ${ident(step.name)}`
      : sql`CREATE SCHEMA ${ident(step.name)} AUTHORIZATION ${ident(step.owner)}`,
  ),
  ...(step.mark === undefined ? [] : [mark({ type: 'schema', name: step.name }, step.mark)]),
];

export const alterSchemaOwner = (step: Of<'alterSchemaOwner'>): Command[] => [
  command(sql`ALTER SCHEMA ${ident(step.name)} OWNER TO ${ident(step.owner)}`),
];

/** RESTRICT is said, as a later version could have another default. */
export const dropSchema = (step: Of<'dropSchema'>): Command[] => [
  command(
    step.cascade
      ? sql`DROP SCHEMA IF EXISTS ${ident(step.name)} CASCADE`
      : sql`DROP SCHEMA IF EXISTS ${ident(step.name)} RESTRICT`,
  ),
];

/** The planner has looked whether the database may go; what came since then keeps it. */
export const dropDatabase = (step: Of<'dropDatabase'>): Command[] => [
  command(
    step.restrict === true
      ? sql`DROP DATABASE IF EXISTS ${ident(step.name)} RESTRICT`
      : sql`DROP DATABASE IF EXISTS ${ident(step.name)} CASCADE`,
  ),
];

/** Roles cannot be commented there. */
export function mark(on: { type: string; name: string }, wanted: Mark, comment?: string | null): Command {
  const text = literal(withMark(wanted, comment));
  return command(
    on.type === 'schema'
      ? sql`COMMENT ON SCHEMA ${ident(on.name)} IS ${text}`
      : sql`COMMENT ON DATABASE ${ident(on.name)} IS ${text}`,
  );
}
