/** Databases with their settings and marks, in one statement for all names. */
import type { DatabaseObserved } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { SCRIPT_LOGIN } from '../init-sql.ts';
import { readMark } from '../mark.ts';
import type { Session } from '../session.ts';
import { settingsOf, text } from './rows.ts';

/** Columns that came with a version, so that older servers are asked for what they have. */
const query = (versionNumber: number): string => `
SELECT d.datname, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
  d.datcollate, d.datctype, d.datallowconn, d.datconnlimit, d.datistemplate, t.spcname,
  ${versionNumber >= 150000 ? 'd.datlocprovider' : "'c'"} AS provider,
  ${versionNumber >= 170000 ? 'd.datlocale' : versionNumber >= 150000 ? 'd.daticulocale' : 'NULL'} AS locale,
  ${versionNumber >= 160000 ? 'd.daticurules' : 'NULL'} AS icu_rules,
  shobj_description(d.oid, 'pg_database') AS comment,
  (SELECT r.rolname FROM pg_roles r WHERE r.rolname = ${SCRIPT_LOGIN}) AS script_login,
  (SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0) AS settings
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = ANY($1)`;

const PROVIDERS: Record<string, string> = { c: 'libc', i: 'icu', b: 'builtin', d: 'default' };

export async function readDatabases(
  session: Session,
  queries: readonly Reads['database']['query'][],
  info: ServerInfo,
): Promise<(DatabaseObserved | undefined)[]> {
  const rows = await session.query(query(info.versionNumber), [queries.map(({ name }) => name)]);
  const byName = new Map(rows.map((row) => [row['datname'] as string, observed(row)]));
  return queries.map(({ name }) => byName.get(name));
}

function observed(row: Record<string, unknown>): DatabaseObserved {
  const comment = row['comment'] as string | null;
  const mark = readMark(comment);
  return {
    name: row['datname'] as string,
    owner: row['owner'] as string,
    encoding: row['encoding'] as string,
    collation: row['datcollate'] as string,
    characterClassification: row['datctype'] as string,
    localeProvider: PROVIDERS[row['provider'] as string] ?? 'libc',
    ...text('locale', row['locale']),
    ...text('icuRules', row['icu_rules']),
    tablespace: row['spcname'] as string,
    ...text('comment', comment),
    allowConnections: row['datallowconn'] as boolean,
    connectionLimit: Number(row['datconnlimit']),
    isTemplate: row['datistemplate'] as boolean,
    settings: settingsOf(row['settings']),
    ...text('scriptLogin', row['script_login']),
    ...(mark === undefined ? {} : { mark }),
  };
}
