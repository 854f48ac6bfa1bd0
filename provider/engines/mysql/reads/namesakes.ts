/** Accounts of one name at several hosts. */
import type { Reads } from '../../../resources/model/reads.ts';
import type { Namesake } from '../../../resources/model/roles.ts';
import type { MysqlInfo } from '../info.ts';
import { markKey } from '../mark.ts';
import type { Session } from '../session.ts';
import { join, literal } from '../sql.ts';
import { mariadbAccounts, mariadbAccountsSql } from './accounts-mariadb.ts';
import { mysqlAccounts, mysqlAccountsSql } from './accounts-mysql.ts';

export async function readNamesakes(
  session: Session,
  queries: readonly Reads['namesakes']['query'][],
  { engine }: MysqlInfo,
): Promise<Namesake[][]> {
  const names = [...new Set(queries.map(({ name }) => name))];
  const users = join(names.map(literal));
  const accounts =
    engine === 'mariadb'
      ? mariadbAccounts(
          await session.query(
            mariadbAccountsSql(
              users,
              names.map((name) => markKey({ name, host: '%' })),
            ),
          ),
        )
      : mysqlAccounts(await session.query(mysqlAccountsSql(users)));
  return queries.map(({ name }) =>
    accounts
      // The rights of a role of MariaDB are not those of an account of its name.
      .filter(({ user, host }) => user === name && host !== '')
      .map(({ host, observed: { mark } }) => ({ host, ...(mark === undefined ? {} : { mark }) })),
  );
}
