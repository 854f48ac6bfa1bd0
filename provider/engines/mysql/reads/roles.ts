/** Accounts and roles with all that they have but privileges, in one statement for all names. */
import type { Reads } from '../../../resources/model/reads.ts';
import type { RoleObserved } from '../../../resources/model/roles.ts';
import type { MysqlInfo } from '../info.ts';
import type { Session } from '../session.ts';
import { markKeysOf } from '../mark.ts';
import { join, literal } from '../sql.ts';
import { mariadbAccounts, mariadbAccountsSql } from './accounts-mariadb.ts';
import { mysqlAccounts, mysqlAccountsSql } from './accounts-mysql.ts';
import type { StoredAccount } from './stored-account.ts';

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
  const users = join([...new Set(queries.map(({ name }) => name))].map(literal));
  const accounts =
    info.engine === 'mariadb'
      ? mariadbAccounts(await session.query(mariadbAccountsSql(users, [...new Set(queries.flatMap(markKeysOf))])))
      : mysqlAccounts(await session.query(mysqlAccountsSql(users)));
  const found = new Map(accounts.map((account) => [keyOf(account.user, account.host), account]));
  return queries.map(
    ({ name, host }) =>
      found.get(keyOf(name, host ?? '%')) ??
      // A role of MariaDB has no host, and the same question finds either.
      (host === undefined ? found.get(keyOf(name, '')) : undefined),
  );
}

/** Hosts are stored in small letters. */
const keyOf = (user: string, host: string): string => JSON.stringify([user, host.toLowerCase()]);
