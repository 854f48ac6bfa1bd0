/** Names that CockroachDB would change or refuse, told before anything is sent. */
import { createHash } from 'node:crypto';
import { ResourceError } from '../../common/errors.ts';

const FORM = /^[\p{Ll}\p{Lo}\p{N}_][\p{Ll}\p{Lo}\p{N}_.-]*$/u;

/** Throws InvalidSpec: a role of that name would be another after it was made. */
export function refuseRoleName(name: string): void {
  if (name !== name.toLowerCase())
    throw new ResourceError(
      'InvalidSpec',
      `the role name ${JSON.stringify(name)} has capital letters, which CockroachDB makes small; use ${JSON.stringify(name.toLowerCase())} as external name`,
      { retryable: false },
    );
  if (!FORM.test(name))
    throw new ResourceError(
      'InvalidSpec',
      `CockroachDB takes only letters, digits, "_", "-" and "." in role names, beginning with a letter, a digit or "_", and ${JSON.stringify(name)} has others`,
      { retryable: false },
    );
}

/** The login of an initSQL: one that is left behind is found by its name, which is that of the database. */
export const scriptLoginOf = (database: string): string =>
  `xdatabase_run_sql_${createHash('sha256').update(database).digest('hex').slice(0, 16)}`;
