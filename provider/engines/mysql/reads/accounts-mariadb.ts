/** Accounts, roles and their memberships from the tables of MariaDB. */
import { Secret } from '../../../common/secret.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { AccountObserved } from '../../../resources/model/roles.ts';
import { takesPassword } from '../authentication.ts';
import { isMarkRole, MARK_KEY_CHARACTERS, markKey, readMarkRole } from '../mark.ts';
import type { Row } from '../session.ts';
import { integer, join, literal, type Sql, sql } from '../sql.ts';
import { limitOf, requirement, type StoredAccount, type Way } from './stored-account.ts';

/** `keys`: of the marks that the accounts may have. */
export const mariadbAccountsSql = (users: Sql, keys: readonly string[]): Sql => sql`
SELECT 'account' AS kind, JSON_ARRAY(User, Host, Priv) AS data FROM mysql.global_priv WHERE User IN (${users})
UNION ALL SELECT 'edge', JSON_ARRAY(User, Host, Role, Admin_option) FROM mysql.roles_mapping
  WHERE User IN (${users}) OR LEFT(Role, ${integer(MARK_KEY_CHARACTERS)}) IN (${join(keys.map(literal))})`;

type AccountRow = [user: string, host: string, priv: Priv];
type Edge = [user: string, host: string, role: string, admin: string];

export function mariadbAccounts(rows: readonly Row[]): StoredAccount[] {
  const of = <T>(kind: string): T[] =>
    rows.filter((row) => row['kind'] === kind).map((row) => JSON.parse(String(row['data'])) as T);
  const all = of<Edge>('edge');
  const edges = Map.groupBy(all, ([user, host]) => JSON.stringify([user, host]));
  const marks = Map.groupBy(
    all.filter(([, , role]) => isMarkRole(role)),
    ([, , role]) => role.slice(0, MARK_KEY_CHARACTERS),
  );
  return of<[string, string, Priv | string]>('account').map(([user, host, priv]) =>
    account(
      [user, host, typeof priv === 'string' ? (JSON.parse(priv) as Priv) : priv],
      (edges.get(JSON.stringify([user, host])) ?? []).toSorted(([, , a], [, , b]) => (a < b ? -1 : 1)),
      marks.get(markKey({ name: user, host })) ?? [],
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

/**
 * Whoever makes a mark is a member of it until the account is. So a mark that the account lacks, while its maker has it,
 * was cut off in between; one that nobody has any more was an earlier account's.
 */
function markOf(user: string, host: string, marks: readonly Edge[]): { mark?: Mark; isMarkPending?: true } {
  const isOwn = ([member, at]: Edge): boolean => member === user && at === host;
  const [, , role = ''] = marks.find(isOwn) ?? marks[0] ?? [];
  const mark = readMarkRole(role);
  if (mark === undefined) return {};
  return marks.some(isOwn) ? { mark } : { mark, isMarkPending: true };
}

function account([user, host, priv]: AccountRow, memberships: readonly Edge[], marks: readonly Edge[]): StoredAccount {
  const groups = memberships.filter(([, , role]) => !isMarkRole(role));
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
    marks: [...new Set(marks.map(([, , role]) => role))],
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
      ...markOf(user, host, marks),
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
