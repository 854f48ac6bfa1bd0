/** What the server is and what its administrator may do. */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { PASSWORD_PLUGINS } from './authentication.ts';
import type { Flavour } from './flavour.ts';
import type { Session } from './session.ts';
import { sql } from './sql.ts';

/** What this engine knows beyond what every engine tells. */
export interface MysqlInfo extends ServerInfo {
  engine: Flavour;
  /** Host part of the administrator's own account. */
  adminHost: string;
  /** Plugin of a new account that asks for none. */
  defaultPlugin: string;
  /** Whether the server takes a new password only as it is, because it looks at it (strict_password_validation). */
  checksPasswords: boolean;
  /** lower_case_table_names: 0 = names of databases and tables keep their case; else they are lower case. */
  lowerCaseNames: number;
}

/** MySQL: the first with attributes of accounts, which hold the marks. MariaDB: the oldest that the tests cover. */
const MINIMUM: Record<Flavour, { versionNumber: number; label: string }> = {
  mysql: { versionNumber: 80_021, label: 'MySQL 8.0.21' },
  mariadb: { versionNumber: 101_100, label: 'MariaDB 10.11' },
};
const TITLES: Record<Flavour, string> = { mysql: 'MySQL', mariadb: 'MariaDB' };

const IDENTITY = sql`SELECT VERSION() AS version, @@version_comment AS comment, CURRENT_USER() AS account,
  @@lower_case_table_names AS lower_case_names`;
/** Static privileges are written in small letters here, dynamic ones in capitals. */
const ALL_PRIVILEGES = sql`SHOW PRIVILEGES`;
/** Asked for by SHOW, which leaves out what a server does not have. */
const VARIABLES = sql`SHOW GLOBAL VARIABLES WHERE Variable_name IN
  ('server_uuid', 'server_uid', 'authentication_policy', 'default_authentication_plugin', 'partial_revokes',
   'strict_password_validation')`;
const PASSWORD_CHECKS = sql`SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS
  WHERE PLUGIN_TYPE = 'PASSWORD VALIDATION' AND PLUGIN_STATUS = 'ACTIVE'`;
const PRIVILEGES = sql`SELECT GRANTEE AS grantee, PRIVILEGE_TYPE AS privilege FROM information_schema.USER_PRIVILEGES`;

export async function readInfo(session: Session, expected: Flavour): Promise<MysqlInfo> {
  const [row] = await session.query(IDENTITY);
  if (row === undefined) throw new ResourceError('ServerRefused', 'the server does not say what it is');
  const version = String(row['version']);
  const engine: Flavour = /mariadb/i.test(`${version} ${String(row['comment'])}`) ? 'mariadb' : 'mysql';
  if (engine !== expected)
    throw new ResourceError('WrongEngine', `the server is ${TITLES[engine]}: set engine: ${engine}`, {
      retryable: false,
    });
  const { label, versionNumber } = versionOf(version);
  if (versionNumber < MINIMUM[engine].versionNumber)
    throw new ResourceError(
      'VersionTooOld',
      `the server is ${TITLES[engine]} ${label}; the oldest supported is ${MINIMUM[engine].label}`,
      { retryable: false },
    );
  const variables = new Map(
    (await session.query(VARIABLES)).map((item) => [String(item['Variable_name']), String(item['Value'])]),
  );
  const { user, host } = splitAccount(String(row['account']));
  const grantee = `'${user}'@'${host}'`;
  const privileges = new Set(
    (await session.query(PRIVILEGES))
      .filter((item) => item['grantee'] === grantee)
      .map((item) => String(item['privilege'])),
  );
  const dynamicPrivileges =
    engine === 'mariadb'
      ? []
      : (await session.query(ALL_PRIVILEGES))
          .map((item) => String(item['Privilege']))
          .filter((name) => /^[A-Z][A-Z0-9_]+$/.test(name))
          .toSorted();
  const isStrict = variables.get('strict_password_validation') === 'ON';
  const checksPasswords = isStrict && (await session.query(PASSWORD_CHECKS)).length > 0;
  const systemIdentifier = variables.get('server_uuid') ?? variables.get('server_uid');
  return {
    engine,
    product: `${TITLES[engine]} ${label}`,
    versionNumber,
    major: Math.floor(versionNumber / 10_000),
    admin: {
      name: user,
      superUser: privileges.has('SUPER') || privileges.has('SYSTEM_USER'),
      createRole: privileges.has('CREATE USER'),
      createDb: privileges.has('CREATE'),
    },
    adminHost: host,
    defaultPlugin: defaultPluginOf(engine, variables),
    accounts: {
      passwordPlugins: PASSWORD_PLUGINS[engine],
      // A server that looks at new passwords takes no old one as what it has stored.
      dualPasswords: !checksPasswords,
      defaultRoles: engine === 'mysql' ? 'many' : 'one',
      marksOutlive: engine === 'mariadb',
    },
    foldsDatabaseNames: Number(row['lower_case_names']) !== 0,
    dynamicPrivileges,
    databaseWildcards: variables.get('partial_revokes') !== 'ON',
    checksPasswords,
    lowerCaseNames: Number(row['lower_case_names']),
    ...(systemIdentifier === undefined ? {} : { systemIdentifier }),
  };
}

/** "9.7.4-2", "11.8.9-MariaDB-4 from Debian", and "5.5.5-10.11.18-MariaDB" of a MariaDB that speaks to old replicas. */
function versionOf(text: string): { label: string; versionNumber: number } {
  const found = /^(?:5\.5\.5-(?=\d))?(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (found === null)
    throw new ResourceError('WrongEngine', `the version ${JSON.stringify(text)} is not one of MySQL or MariaDB`, {
      retryable: false,
    });
  const [major = 0, minor = 0, patch = 0] = found.slice(1).map(Number);
  return { label: `${major}.${minor}.${patch}`, versionNumber: major * 10_000 + minor * 100 + patch };
}

/** The server writes `user@host`, and a user name may hold further @. */
function splitAccount(text: string): { user: string; host: string } {
  const at = text.lastIndexOf('@');
  return { user: text.slice(0, at), host: text.slice(at + 1) };
}

/** The first factor of authentication_policy: `*`, `*:plugin` or `plugin`. */
function defaultPluginOf(engine: Flavour, variables: ReadonlyMap<string, string>): string {
  if (engine === 'mariadb') return 'mysql_native_password';
  const [first = ''] = (variables.get('authentication_policy') ?? '').split(',');
  const named = first.replace(/^\*:?/, '').trim();
  return named || (variables.get('default_authentication_plugin') ?? 'caching_sha2_password');
}
