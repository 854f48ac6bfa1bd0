/** Accounts and roles with all that they have but privileges, in one statement for all names. */
import type { AccountObserved, Membership, Reads, RoleObserved } from '../../../resources/model.ts';
import { Secret } from '../../../resources/secret.ts';
import { accountText } from '../accounts.ts';
import { takesPassword } from '../authentication.ts';
import type { MysqlInfo } from '../info.ts';
import { readAttribute } from '../mark.ts';
import type { Row, Session } from '../session.ts';
import { join, literal, type Sql, sql } from '../sql.ts';

/** An account as it is stored: `host` is '' for a role of MariaDB. */
export interface StoredAccount {
  user: string;
  host: string;
  isRole: boolean;
  plugin: string;
  /** What the plugin compares a password with, in hexadecimal capitals. */
  stored: Secret;
  /** All ways to log in, where there may be several, in the server's order. */
  ways: readonly Way[];
  observed: RoleObserved;
}

/** One way of an account to log in. */
export interface Way {
  plugin: string;
  stored: Secret;
}

type Query = Reads['role']['query'];

/** Takes what was found of an account, for whoever wants to compare a password with it. */
export type OnAccount = (account: StoredAccount) => void;

export async function readRoles(
  session: Session,
  queries: readonly Query[],
  info: MysqlInfo,
  onAccount: OnAccount = () => {},
): Promise<(RoleObserved | undefined)[]> {
  const accounts = await readAccounts(session, queries, info);
  return accounts.map((account) => {
    if (account !== undefined) onAccount(account);
    return account?.observed;
  });
}

export async function readAccounts(
  session: Session,
  queries: readonly Query[],
  info: MysqlInfo,
): Promise<(StoredAccount | undefined)[]> {
  const isMariadb = info.engine === 'mariadb';
  const pairs = queries.flatMap(({ name, host }) => [
    sql`(${literal(name)}, ${literal(host ?? '%')})`,
    // A role has no host there, and the same question finds either.
    ...(isMariadb && host === undefined ? [sql`(${literal(name)}, '')`] : []),
  ]);
  const rows = await session.query((isMariadb ? mariadbSql : mysqlSql)(join(pairs)));
  const found = new Map<string, StoredAccount>();
  for (const row of rows) {
    const account = (isMariadb ? mariadbAccount : mysqlAccount)(row);
    found.set(keyOf(account.user, account.host), account);
  }
  return queries.map(
    ({ name, host }) =>
      found.get(keyOf(name, host ?? '%')) ?? (host === undefined ? found.get(keyOf(name, '')) : undefined),
  );
}

/** Hosts are stored in small letters. */
const keyOf = (user: string, host: string): string => JSON.stringify([user, host.toLowerCase()]);

const mysqlSql = (pairs: Sql): Sql => sql`
SELECT u.User AS user, u.Host AS host, u.plugin, HEX(u.authentication_string) AS verifier, u.ssl_type, CONVERT(u.ssl_cipher USING utf8mb4) AS cipher,
  CONVERT(u.x509_issuer USING utf8mb4) AS issuer, CONVERT(u.x509_subject USING utf8mb4) AS subject,
  u.max_questions, u.max_updates, u.max_connections, u.max_user_connections,
  u.account_locked, u.password_expired, u.password_lifetime, JSON_EXTRACT(u.User_attributes, '$.metadata') AS attributes,
  JSON_CONTAINS_PATH(u.User_attributes, 'one', '$.additional_password') AS retains,
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(e.FROM_USER, e.FROM_HOST, e.WITH_ADMIN_OPTION, d.USER IS NOT NULL))
    FROM mysql.role_edges e LEFT JOIN mysql.default_roles d ON d.USER = e.TO_USER AND d.HOST = e.TO_HOST
      AND d.DEFAULT_ROLE_USER = e.FROM_USER AND d.DEFAULT_ROLE_HOST = e.FROM_HOST
    WHERE e.TO_USER = u.User AND e.TO_HOST = u.Host) AS groups_of
FROM mysql.user u WHERE (u.User, u.Host) IN (${pairs})`;

const REQUIREMENTS: Record<string, 'NONE' | 'SSL' | 'X509' | 'SPECIFIED'> = {
  '': 'NONE',
  ANY: 'SSL',
  X509: 'X509',
  SPECIFIED: 'SPECIFIED',
};

function mysqlAccount(row: Row): StoredAccount {
  const text = (key: string): string => (row[key] === null ? '' : String(row[key]));
  const [user, host, plugin] = [text('user'), text('host'), text('plugin')];
  // CREATE ROLE makes an account that is locked, expired and without a password.
  const isRole = text('account_locked') === 'Y' && text('password_expired') === 'Y' && text('verifier') === '';
  const groups =
    row['groups_of'] === null ? [] : (JSON.parse(text('groups_of')) as [string, string, string, number | boolean][]);
  const mark = readAttribute(row['attributes']);
  return {
    user,
    host,
    isRole,
    plugin,
    stored: new Secret(text('verifier')),
    ways: [{ plugin, stored: new Secret(text('verifier')) }],
    observed: {
      name: user,
      host,
      attributes: { login: !isRole },
      connectionLimit: limitOf(row['max_user_connections']),
      settings: [],
      memberOf: groups.map(
        ([groupUser, groupHost, admin, isDefault]): Membership => ({
          role: accountText({ name: groupUser, host: groupHost }),
          admin: admin === 'Y',
          // What a role is a member of applies wherever the role does.
          inherit: isRole || Number(isDefault) === 1,
        }),
      ),
      ...(isRole
        ? {}
        : {
            account: {
              plugin,
              takesPassword: takesPassword(plugin),
              retainsPassword: Number(row['retains'] ?? 0) === 1,
              require: requirement(REQUIREMENTS[text('ssl_type')], text('subject'), text('issuer'), text('cipher')),
              limits: {
                maxQueriesPerHour: Number(row['max_questions']),
                maxUpdatesPerHour: Number(row['max_updates']),
                maxConnectionsPerHour: Number(row['max_connections']),
              },
              locked: text('account_locked') === 'Y',
              passwordLifetimeDays: row['password_lifetime'] === null ? null : Number(row['password_lifetime']),
            },
          }),
      ...(mark === undefined ? {} : { mark }),
    },
  };
}

const mariadbSql = (pairs: Sql): Sql => sql`
SELECT p.User AS user, p.Host AS host, p.Priv AS priv,
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(m.Role, m.Admin_option)) FROM mysql.roles_mapping m WHERE m.User = p.User AND m.Host = p.Host) AS groups_of
FROM mysql.global_priv p WHERE (p.User, p.Host) IN (${pairs})`;

interface Priv {
  plugin?: string;
  authentication_string?: string;
  /** Further ways to log in; `{}` stands for the plugin above. */
  auth_or?: { plugin?: string; authentication_string?: string }[];
  is_role?: boolean;
  default_role?: string;
  account_locked?: boolean;
  password_lifetime?: number;
  ssl_type?: number;
  ssl_cipher?: string;
  x509_issuer?: string;
  x509_subject?: string;
  max_questions?: number;
  max_updates?: number;
  max_connections?: number;
  max_user_connections?: number;
}

const REQUIREMENTS_BY_NUMBER = ['NONE', 'SSL', 'X509', 'SPECIFIED'] as const;

function mariadbAccount(row: Row): StoredAccount {
  const [user, host] = [String(row['user']), String(row['host'])];
  const priv = JSON.parse(String(row['priv'])) as Priv;
  const isRole = priv.is_role === true;
  const ways = waysOf(priv);
  const { plugin, stored } = ways.find((way) => takesPassword(way.plugin)) ?? ways[0]!;
  const groups = row['groups_of'] === null ? [] : (JSON.parse(String(row['groups_of'])) as [string, string][]);
  const lifetime = priv.password_lifetime ?? -1;
  return {
    user,
    host,
    isRole,
    plugin,
    stored,
    ways,
    observed: {
      name: user,
      ...(isRole ? {} : { host }),
      attributes: { login: !isRole },
      connectionLimit: limitOf(priv.max_user_connections ?? 0),
      settings: [],
      memberOf: groups.map(([role, admin]) => ({
        role,
        admin: admin === 'Y',
        // What a role is a member of applies wherever the role does.
        inherit: isRole || priv.default_role === role,
      })),
      ...(isRole
        ? {}
        : {
            account: {
              ...mariadbOptions(priv, plugin, lifetime),
              retainsPassword: ways.filter((way) => takesPassword(way.plugin)).length > 1,
            },
          }),
    },
  };
}

function waysOf(priv: Priv): Way[] {
  const all = priv.auth_or ?? [{}];
  return all.map((one) => {
    const { plugin, authentication_string: stored } = one.plugin === undefined ? priv : one;
    return {
      plugin: plugin ?? 'mysql_native_password',
      stored: new Secret(
        Buffer.from(stored ?? '')
          .toString('hex')
          .toUpperCase(),
      ),
    };
  });
}

const mariadbOptions = (priv: Priv, plugin: string, lifetime: number): AccountObserved => ({
  plugin,
  takesPassword: takesPassword(plugin),
  require: requirement(
    REQUIREMENTS_BY_NUMBER[priv.ssl_type ?? 0],
    priv.x509_subject ?? '',
    priv.x509_issuer ?? '',
    priv.ssl_cipher ?? '',
  ),
  limits: {
    maxQueriesPerHour: priv.max_questions ?? 0,
    maxUpdatesPerHour: priv.max_updates ?? 0,
    maxConnectionsPerHour: priv.max_connections ?? 0,
  },
  locked: priv.account_locked === true,
  passwordLifetimeDays: lifetime < 0 ? null : lifetime,
});

/** 0 stands for no limit. */
const limitOf = (value: unknown): number => (Number(value) > 0 ? Number(value) : -1);

const requirement = (
  type: 'NONE' | 'SSL' | 'X509' | 'SPECIFIED' = 'NONE',
  subject: string,
  issuer: string,
  cipher: string,
): NonNullable<AccountObserved['require']> => ({
  type,
  ...(subject === '' ? {} : { subject }),
  ...(issuer === '' ? {} : { issuer }),
  ...(cipher === '' ? {} : { cipher }),
});
