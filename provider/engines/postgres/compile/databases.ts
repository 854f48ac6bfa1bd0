/** Databases, schemas and extensions as SQL. */
import { unfinishedLimit } from '../../../resources/database-unfinished.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { withMark } from '../mark.ts';
import { ident, integer, join, keyword, literal, type Sql, sql } from '../sql.ts';
import { settingValue } from './settings.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

const bool = (value: boolean): Sql => keyword(value ? 'true' : 'false', ['true', 'false']);

/**
 * CREATE DATABASE, and then what completes it, for one transaction.
 *
 * @param isHandedOver whether the owner gets it afterwards, as only then the administrator can act for that role
 */
export function createDatabase(step: Of<'createDatabase'>, info: ServerInfo, isHandedOver = false): Sql[] {
  const options: Sql[] = [];
  const { mark, owner } = step;
  // Nothing says whose a database is that is the administrator's and has no mark yet: until it has, it is unfinished.
  const unfinished = mark !== undefined && (isHandedOver || owner === undefined) ? mark : undefined;
  const access =
    unfinished === undefined
      ? step
      : { allowConnections: false, connectionLimit: unfinishedLimit(step.name, unfinished) };
  if (owner !== undefined && !isHandedOver) options.push(sql`OWNER ${ident(owner)}`);
  if (step.template !== undefined) options.push(sql`TEMPLATE ${ident(step.template)}`);
  if (step.strategy !== undefined) options.push(sql`STRATEGY ${keyword(step.strategy, ['WAL_LOG', 'FILE_COPY'])}`);
  if (step.encoding !== undefined) options.push(sql`ENCODING ${literal(step.encoding)}`);
  if (step.localeProvider !== undefined)
    options.push(sql`LOCALE_PROVIDER ${keyword(step.localeProvider, ['libc', 'icu', 'builtin'])}`);
  if (step.collation !== undefined) options.push(sql`LC_COLLATE ${literal(step.collation)}`);
  const characterClassification = step.characterClassification ?? step.collation;
  if (characterClassification !== undefined) options.push(sql`LC_CTYPE ${literal(characterClassification)}`);
  if (step.locale !== undefined) options.push(sql`${localeOption(step.localeProvider)} ${literal(step.locale)}`);
  if (step.icuRules !== undefined) options.push(sql`ICU_RULES ${literal(step.icuRules)}`);
  if (step.tablespace !== undefined) options.push(sql`TABLESPACE ${ident(step.tablespace)}`);
  if (access.allowConnections !== undefined) options.push(sql`ALLOW_CONNECTIONS ${bool(access.allowConnections)}`);
  if (access.connectionLimit !== undefined) options.push(sql`CONNECTION LIMIT ${integer(access.connectionLimit)}`);
  if (step.isTemplate !== undefined) options.push(sql`IS_TEMPLATE ${bool(step.isTemplate)}`);
  const name = ident(step.name);
  const statements = [
    options.length === 0 ? sql`CREATE DATABASE ${name}` : sql`CREATE DATABASE ${name} ${join(options, ' ')}`,
  ];
  if (mark !== undefined) statements.push(sql`COMMENT ON DATABASE ${name} IS ${literal(withMark(mark))}`);
  if (unfinished !== undefined)
    statements.push(
      sql`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS ${bool(step.allowConnections ?? true)} CONNECTION LIMIT ${integer(step.connectionLimit ?? -1)}`,
    );
  if (owner !== undefined && isHandedOver) statements.push(...handOver(name, owner, info));
  return statements;
}

/** An administrator that is no superuser has nothing left in it but what everybody has, which may be taken next. */
const handOver = (name: Sql, owner: string, { admin }: ServerInfo): Sql[] => [
  sql`ALTER DATABASE ${name} OWNER TO ${ident(owner)}`,
  ...(admin.superUser || admin.name === owner ? [] : [sql`GRANT CONNECT ON DATABASE ${name} TO ${ident(admin.name)}`]),
];

function localeOption(provider: string | undefined): Sql {
  if (provider === 'icu') return sql`ICU_LOCALE`;
  return provider === 'builtin' ? sql`BUILTIN_LOCALE` : sql`LOCALE`;
}

export function alterDatabase(step: Of<'alterDatabase'>, info: ServerInfo): Sql[] {
  const name = ident(step.name);
  const statements: Sql[] = [];
  if (step.tablespace !== undefined)
    statements.push(sql`ALTER DATABASE ${name} SET TABLESPACE ${ident(step.tablespace)}`);
  const options: Sql[] = [];
  if (step.allowConnections !== undefined) options.push(sql`ALLOW_CONNECTIONS ${bool(step.allowConnections)}`);
  if (step.connectionLimit !== undefined) options.push(sql`CONNECTION LIMIT ${integer(step.connectionLimit)}`);
  if (step.isTemplate !== undefined) options.push(sql`IS_TEMPLATE ${bool(step.isTemplate)}`);
  if (options.length > 0) statements.push(sql`ALTER DATABASE ${name} WITH ${join(options, ' ')}`);
  if (step.owner !== undefined) statements.push(...handOver(name, step.owner, info));
  return statements;
}

export const setDatabaseSetting = (step: Of<'setDatabaseSetting'>): Sql[] => [
  step.value === null
    ? sql`ALTER DATABASE ${ident(step.name)} RESET ${settingName(step.setting)}`
    : sql`ALTER DATABASE ${ident(step.name)} SET ${settingName(step.setting)} TO ${settingValue(step.setting, step.value)}`,
];

/** A setting may have a prefix (`app.tenant`); each part is an identifier. */
export const settingName = (name: string): Sql => join(name.split('.').map(ident), '.');

export function createSchema(step: Of<'createSchema'>): Sql[] {
  const create =
    step.owner === undefined
      ? sql`CREATE SCHEMA ${ident(step.name)}`
      : sql`CREATE SCHEMA ${ident(step.name)} AUTHORIZATION ${ident(step.owner)}`;
  return step.mark === undefined
    ? [create]
    : [create, sql`COMMENT ON SCHEMA ${ident(step.name)} IS ${literal(withMark(step.mark))}`];
}

export const alterSchemaOwner = (step: Of<'alterSchemaOwner'>): Sql[] => [
  sql`ALTER SCHEMA ${ident(step.name)} OWNER TO ${ident(step.owner)}`,
];

export const revokeSchemaPublic = (step: Of<'revokeSchemaPublic'>): Sql[] => [
  sql`REVOKE ${join(step.privileges.map((p) => keyword(p, ['CREATE', 'USAGE'])))} ON SCHEMA ${ident(step.name)} FROM PUBLIC`,
];

export const dropSchema = (step: Of<'dropSchema'>): Sql[] => [
  step.cascade
    ? sql`DROP SCHEMA IF EXISTS ${ident(step.name)} CASCADE`
    : sql`DROP SCHEMA IF EXISTS ${ident(step.name)} RESTRICT`,
];

/** Where an extension goes when nobody says. The session's own search_path leads to pg_catalog. */
const AT_HOME = sql`SET LOCAL search_path TO public`;
const BACK = sql`SET LOCAL search_path TO pg_catalog`;

/** `description` is what the extension says of itself. */
export function createExtension(step: Of<'createExtension'>, description?: string | null): Sql[] {
  const options: Sql[] = [];
  if (step.schema !== undefined) options.push(sql`SCHEMA ${ident(step.schema)}`);
  if (step.version !== undefined) options.push(sql`VERSION ${literal(step.version)}`);
  if (step.cascade) options.push(sql`CASCADE`);
  const create =
    options.length === 0
      ? sql`CREATE EXTENSION ${ident(step.name)}`
      : sql`CREATE EXTENSION ${ident(step.name)} WITH ${join(options, ' ')}`;
  return [
    ...(step.schema === undefined ? [AT_HOME, create, BACK] : [create]),
    ...(step.mark === undefined ? [] : [mark({ type: 'extension', name: step.name }, step.mark, description)]),
  ];
}

export const updateExtension = (step: Of<'updateExtension'>): Sql[] => [
  step.version === undefined
    ? sql`ALTER EXTENSION ${ident(step.name)} UPDATE`
    : sql`ALTER EXTENSION ${ident(step.name)} UPDATE TO ${literal(step.version)}`,
];

export const moveExtension = (step: Of<'moveExtension'>): Sql[] => [
  sql`ALTER EXTENSION ${ident(step.name)} SET SCHEMA ${ident(step.schema)}`,
];

export const dropExtension = (step: Of<'dropExtension'>): Sql[] => [sql`DROP EXTENSION IF EXISTS ${ident(step.name)}`];

const MARKABLE = { database: 'DATABASE', schema: 'SCHEMA', role: 'ROLE', extension: 'EXTENSION' } as const;

/** `existing` is the comment that is there: a person's text in it is kept. */
export const mark = (on: Of<'mark'>['on'], value: Mark, existing?: string | null): Sql =>
  sql`COMMENT ON ${keyword(MARKABLE[on.type], Object.values(MARKABLE))} ${ident(on.name)} IS ${literal(withMark(value, existing))}`;
