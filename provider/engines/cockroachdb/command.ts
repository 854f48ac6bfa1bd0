/** One statement as it is sent: by itself, as CockroachDB commits each change of its schema. */
import type { Secret } from '../../common/secret.ts';
import type { Sql } from '../postgres/sql.ts';

export interface Command {
  sql: Sql;
  /** Bound, so that they are in no text, no log of statements and no description of a job. */
  secrets?: readonly Secret[];
  /** The role whose rights are used; undefined = the administrator's. */
  as?: string;
}

export const command = (sql: Sql): Command => ({ sql });
