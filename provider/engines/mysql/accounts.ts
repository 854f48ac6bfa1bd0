/** Names of accounts and roles as resources write them: `name`, or `name@host`, where the last @ separates. */
import type { Grantee } from '../../resources/model/objects.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { account, keyword, roleName, type Sql } from './sql.ts';

export interface Account {
  name: string;
  /** Without one, MariaDB looks for a role first; elsewhere it is %. */
  host?: string;
}

export function parseAccount(text: string): Account {
  const at = text.lastIndexOf('@');
  return at < 0 ? { name: text } : { name: text.slice(0, at), host: text.slice(at + 1) };
}

/** The shortest way to write an account; `host` is as the server stores it. A name with an @ needs its host. */
export const accountText = ({ name, host }: { name: string; host: string }): string =>
  host === '' || (host === '%' && !name.includes('@')) ? name : `${name}@${host}`;

/** In statements: MariaDB itself finds out whether a name without a host is a role. */
export function accountSql({ name, host }: Account, { engine }: Pick<ServerInfo, 'engine'>): Sql {
  if (engine === 'mariadb' && (host === undefined || host === '')) return roleName(name);
  return account(name, host ?? '%');
}

export const granteeSql = (grantee: Grantee, info: Pick<ServerInfo, 'engine'>): Sql =>
  grantee.public === true ? keyword('PUBLIC', ['PUBLIC']) : accountSql(grantee, info);
