/**
 * The database of a grant is a pattern: `my_db` would be `myXdb` too. A database that is meant alone is written with
 * escapes, unless the server reads such characters plainly (MySQL with partial_revokes).
 */
import { invalidSpec } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { MAX_NAME_CHARACTERS } from './sql.ts';

type Wildcards = Pick<ServerInfo, 'databaseWildcards'>;

/** How exactly that database is stored in the grant tables. Throws InvalidSpec when its pattern is too long. */
export function patternOf(database: string, info: Wildcards): string {
  const pattern = escapedName(database, info);
  if (Array.from(pattern).length > MAX_NAME_CHARACTERS)
    throw invalidSpec(
      `database: ${JSON.stringify(database)} has so many characters _ and % that it cannot be granted on alone: each takes two of the ${MAX_NAME_CHARACTERS} characters that the server stores`,
    );
  return pattern;
}

/** The one database that a stored pattern is about; undefined when it has wildcards. */
export function plainName(pattern: string): string | undefined {
  const isPlain = /^(?:[^\\_%]|\\[\\_%])*$/.test(pattern);
  return isPlain ? pattern.replaceAll(/\\([\\_%])/g, '$1') : undefined;
}

/** The same without the check, to look for what cannot be there. */
export const escapedName = (database: string, { databaseWildcards }: Wildcards): string =>
  databaseWildcards === false ? database : database.replaceAll(/[\\_%]/g, String.raw`\$&`);
