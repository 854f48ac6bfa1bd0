/** Accounts, roles and their memberships from the tables of MariaDB. */
import { Secret } from '../../../common/secret.ts';
import type { AccountObserved } from '../../../resources/model/roles.ts';
import { takesPassword } from '../authentication.ts';
import type { Row } from '../session.ts';
import { type Sql, sql } from '../sql.ts';
import { limitOf, requirement, type StoredAccount, type Way } from './stored-account.ts';

export const mariadbAccountsSql = (users: Sql): Sql => sql`
SELECT 'account' AS kind, JSON_ARRAY(User, Host, Priv) AS data FROM mysql.global_priv WHERE User IN (${users})
UNION ALL SELECT 'edge', JSON_ARRAY(User, Host, Role, Admin_option) FROM mysql.roles_mapping WHERE User IN (${users})`;

type AccountRow = [user: string, host: string, priv: Priv];
type Edge = [user: string, host: string, role: string, admin: string];

export function mariadbAccounts(rows: readonly Row[]): StoredAccount[] {
  const of = <T>(kind: string): T[] =>
    rows.filter((row) => row['kind'] === kind).map((row) => JSON.parse(String(row['data'])) as T);
  const edges = Map.groupBy(of<Edge>('edge'), ([user, host]) => JSON.stringify([user, host]));
  return of<[string, string, Priv | string]>('account').map(([user, host, priv]) =>
    account(
      [user, host, typeof priv === 'string' ? (JSON.parse(priv) as Priv) : priv],
      (edges.get(JSON.stringify([user, host])) ?? []).toSorted(([, , a], [, , b]) => (a < b ? -1 : 1)),
    ),
  );
}

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

function account([user, host, priv]: AccountRow, groups: readonly Edge[]): StoredAccount {
  const isRole = priv.is_role === true;
  const ways = waysOf(priv);
  const { plugin, stored } = ways.find((way) => takesPassword(way.plugin)) ?? ways[0]!;
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
      memberOf: groups.map(([, , role, admin]) => ({
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
