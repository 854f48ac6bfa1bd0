/** Databases as SQL. */
import { ResourceError } from '../../../common/errors.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { Step } from '../../../resources/model/steps.ts';
import type { Flavour } from '../flavour.ts';
import { databaseMarks, MARKS, MAX_COMMENT_CHARACTERS, withMark } from '../mark.ts';
import { account, ident, join, literal, type Sql, sql, word } from '../sql.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

function defaults(step: { characterSet?: string; collation?: string }): Sql[] {
  return [
    ...(step.characterSet === undefined ? [] : [sql`CHARACTER SET ${word(step.characterSet, 'character set')}`]),
    ...(step.collation === undefined ? [] : [sql`COLLATE ${word(step.collation, 'collation')}`]),
  ];
}

export function createDatabase(step: Of<'createDatabase'>, flavour: Flavour): Sql[] {
  // Servers that were installed long ago have latin1 as their default.
  const options = step.collation === undefined ? defaults({ characterSet: 'utf8mb4', ...step }) : defaults(step);
  if (flavour === 'mariadb' && (step.mark !== undefined || step.comment !== undefined))
    options.push(commentOption(step.mark === undefined ? (step.comment ?? '') : withMark(step.mark, step.comment)));
  return [
    // First, so that a database without a mark is never one that we made.
    ...(step.mark === undefined || flavour === 'mariadb' ? [] : markOfMysql(step.name, step.mark)),
    options.length === 0
      ? sql`CREATE DATABASE ${ident(step.name)}`
      : sql`CREATE DATABASE ${ident(step.name)} ${join(options, ' ')}`,
  ];
}

/** When the server has refused to make it. */
export const takeBackDatabase = (step: Of<'createDatabase'>, flavour: Flavour): Sql[] =>
  step.mark === undefined || flavour === 'mariadb' ? [] : [unmark(step.name)];

const holder = account(MARKS.name, MARKS.host);

const markOfMysql = (database: string, mark: Mark): Sql[] => [
  sql`CREATE ROLE IF NOT EXISTS ${holder}`,
  sql`ALTER USER ${holder} ATTRIBUTE ${literal(databaseMarks(database, mark))}`,
];

/** `mark`: the one that the database has, which stands in its comment. */
export function alterDatabase(step: Of<'alterDatabase'>, flavour: Flavour, existing?: string | null): Sql[] {
  const options = defaults(step);
  if (flavour === 'mariadb' && step.comment !== undefined)
    options.push(commentOption(withComment(step.comment, existing)));
  return options.length === 0 ? [] : [sql`ALTER DATABASE ${ident(step.name)} ${join(options, ' ')}`];
}

/** The comment that people see changes, the mark stays. */
function withComment(comment: string, existing?: string | null): string {
  const mark = /(?:^|\n)(managed by xdatabase: \S+ \([^()\s]+\))$/.exec(existing ?? '')?.[1];
  if (mark === undefined) return comment;
  return comment === '' ? mark : `${comment}\n${mark}`;
}

export const markDatabase = (step: Of<'mark'>, flavour: Flavour, existing?: string | null): Sql[] =>
  flavour === 'mariadb'
    ? [sql`ALTER DATABASE ${ident(step.on.name)} ${commentOption(withMark(step.mark, existing))}`]
    : markOfMysql(step.on.name, step.mark);

function commentOption(text: string): Sql {
  if (Array.from(text).length > MAX_COMMENT_CHARACTERS)
    throw new ResourceError(
      'InvalidSpec',
      `forProvider.comment is too long: with our mark it may have ${MAX_COMMENT_CHARACTERS} characters`,
      { retryable: false },
    );
  return sql`COMMENT ${literal(text)}`;
}

const unmark = (database: string): Sql =>
  sql`ALTER USER IF EXISTS ${holder} ATTRIBUTE ${literal(databaseMarks(database, null))}`;

export const dropDatabase = (step: Of<'dropDatabase'>, flavour: Flavour): Sql[] => [
  sql`DROP DATABASE IF EXISTS ${ident(step.name)}`,
  ...(flavour === 'mariadb' ? [] : [unmark(step.name)]),
];
