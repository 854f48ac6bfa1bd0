/** Accounts, roles and their memberships from the tables of MySQL. */
import { Secret } from '../../../common/secret.ts';
import type { Membership } from '../../../resources/model/roles.ts';
import { accountText } from '../accounts.ts';
import { takesPassword } from '../authentication.ts';
import { isMadeAsRole, readAttribute } from '../mark.ts';
import type { Row } from '../session.ts';
import { type Sql, sql } from '../sql.ts';
import { limitOf, requirement, type StoredAccount } from './stored-account.ts';

/** Every arm looks at its table once: neither (user, host) pairs nor a membership of a user are found by an index. */
export const mysqlAccountsSql = (users: Sql): Sql => sql`
SELECT 'account' AS kind, CONVERT(JSON_OBJECT('user', User, 'host', Host, 'plugin', plugin, 'stored', HEX(authentication_string),
    'sslType', ssl_type, 'cipher', CONVERT(ssl_cipher USING utf8mb4), 'issuer', CONVERT(x509_issuer USING utf8mb4),
    'subject', CONVERT(x509_subject USING utf8mb4), 'questions', max_questions, 'updates', max_updates,
    'connections', max_connections, 'sessions', max_user_connections, 'locked', account_locked,
    'expired', password_expired, 'lifetime', password_lifetime,
    'metadata', JSON_EXTRACT(User_attributes, '$.metadata'),
    'retains', JSON_CONTAINS_PATH(User_attributes, 'one', '$.additional_password')) USING utf8mb4) AS data
  FROM mysql.user WHERE User IN (${users})
UNION ALL SELECT 'edge', CONVERT(JSON_ARRAY(TO_USER, TO_HOST, FROM_USER, FROM_HOST, WITH_ADMIN_OPTION) USING utf8mb4)
  FROM mysql.role_edges WHERE TO_USER IN (${users})
UNION ALL SELECT 'default', CONVERT(JSON_ARRAY(USER, HOST, DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST) USING utf8mb4)
  FROM mysql.default_roles WHERE USER IN (${users})`;

interface AccountRow {
  user: string;
  host: string;
  plugin: string;
  stored: string;
  sslType: string;
  cipher: string | null;
  issuer: string | null;
  subject: string | null;
  questions: number;
  updates: number;
  connections: number;
  sessions: number;
  locked: 'Y' | 'N';
  expired: 'Y' | 'N';
  lifetime: number | null;
  metadata: unknown;
  retains: number | boolean | null;
}

const REQUIREMENTS: Record<string, 'NONE' | 'SSL' | 'X509' | 'SPECIFIED'> = {
  '': 'NONE',
  ANY: 'SSL',
  X509: 'X509',
  SPECIFIED: 'SPECIFIED',
};

export function mysqlAccounts(rows: readonly Row[]): StoredAccount[] {
  const of = <T>(kind: string): T[] =>
    rows.filter((row) => row['kind'] === kind).map((row) => JSON.parse(String(row['data'])) as T);
  const defaults = new Set(of<string[]>('default').map((parts) => JSON.stringify(parts)));
  const edges = Map.groupBy(of<[string, string, string, string, string]>('edge'), ([user, host]) => keyOf(user, host));
  return of<AccountRow>('account').map((row) => {
    const groups = (edges.get(keyOf(row.user, row.host)) ?? []).map(
      ([user, host, group, groupHost, admin]): Membership => ({
        role: accountText({ name: group, host: groupHost }),
        admin: admin === 'Y',
        inherit: defaults.has(JSON.stringify([user, host, group, groupHost])),
      }),
    );
    return account(
      row,
      groups.toSorted((a, b) => (a.role < b.role ? -1 : 1)),
    );
  });
}

const keyOf = (user: string, host: string): string => JSON.stringify([user, host]);

function account(row: AccountRow, groups: Membership[]): StoredAccount {
  const { user, host, plugin } = row;
  // CREATE ROLE makes an account that is locked, expired and without a password.
  const isRole = row.locked === 'Y' && row.expired === 'Y' && (row.stored === '' || isMadeAsRole(row.metadata));
  const mark = readAttribute(row.metadata);
  const stored = new Secret(row.stored);
  return {
    user,
    host,
    isRole,
    plugin,
    stored,
    ways: [{ plugin, stored }],
    observed: {
      name: user,
      host,
      attributes: { login: !isRole },
      connectionLimit: limitOf(row.sessions),
      settings: [],
      // What a role is a member of applies wherever the role does.
      memberOf: isRole ? groups.map((group) => ({ ...group, inherit: true })) : groups,
      ...(isRole
        ? {}
        : {
            account: {
              plugin,
              takesPassword: takesPassword(plugin),
              retainsPassword: Number(row.retains) === 1,
              require: requirement(REQUIREMENTS[row.sslType], row.subject, row.issuer, row.cipher),
              limits: {
                maxQueriesPerHour: row.questions,
                maxUpdatesPerHour: row.updates,
                maxConnectionsPerHour: row.connections,
              },
              locked: row.locked === 'Y',
              passwordLifetimeDays: row.lifetime,
            },
          }),
      ...(mark === undefined ? {} : { mark }),
    },
  };
}
