/** What one statement read, put where it is found again. */
import type { HeldPrivilege } from '../../../resources/grant-authority.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { privilegesOfAccess, setMembers } from '../grant-columns.ts';
import type { Row } from '../session.ts';
import { flagsOn } from './grants-sql.ts';

/** An account as the server stores it: roles of MariaDB have the empty host. */
export interface Found {
  name: string;
  host: string;
  /** Held on the server; without dynamic ones. */
  global: string[];
  /** Privileges that are held on the server, but not in a database. */
  restrictions: { database: string; privileges: string[] }[];
  defaultRole: string | undefined;
}

type Value = string | number | null;

export class GrantsSnapshot {
  readonly accounts = new Map<string, Found>();
  /** Whether the server keeps the names of databases and tables in small letters. */
  #folds = false;
  /** Whether the wildcards in the database of a grant mean something. */
  hasWildcards = true;
  readonly #held = new Map<string, HeldPrivilege[]>();
  readonly #there = new Set<string>();
  readonly #routines = new Map<string, string[]>();
  readonly #info: ServerInfo;

  constructor(rows: readonly Row[], info: ServerInfo) {
    this.#info = info;
    const parsed = rows.map((row) => ({ kind: String(row['kind']), data: JSON.parse(String(row['data'])) as Value[] }));
    for (const { kind, data } of parsed) if (kind === 'server') this.#server(data);
    for (const { kind, data } of parsed) this.#take(kind, data);
  }

  #server([lowerCase, partialRevokes]: Value[]): void {
    this.#folds = Number(lowerCase) > 0;
    this.hasWildcards = Number(partialRevokes) === 0;
  }

  #take(kind: string, data: Value[]): void {
    const [a = '', b = '', c = '', d = '', e = '', f = ''] = data.map((value) => String(value ?? ''));
    const account = keyOf(a, b);
    switch (kind) {
      case 'account':
        this.accounts.set(account, this.#account(a, b, data));
        break;
      case 'dynamic':
        this.#hold([account, 'global'], [c], d === 'Y');
        break;
      case 'database':
        this.#hold([account, 'database', this.fold(c)], this.#flags('database', data.slice(3)));
        break;
      case 'table':
        this.#hold([account, 'table', this.fold(c), this.fold(d)], setMembers(e));
        break;
      case 'column':
        this.#hold([account, 'table', this.fold(c), this.fold(d)], setMembers(f), false, e);
        break;
      case 'routine':
        this.#hold([account, 'routine', this.fold(c), d.toLowerCase(), e.toLowerCase()], setMembers(f));
        break;
      case 'proxy':
        this.#hold([account, 'proxy', keyOf(c, d)], ['PROXY'], e === '1');
        break;
      case 'isDatabase':
      case 'isTable':
        this.#there.add(JSON.stringify([kind, ...[a, b].slice(0, data.length).map((name) => this.fold(name))]));
        break;
      case 'isColumn':
        this.#there.add(JSON.stringify([kind, this.fold(a), this.fold(b), c.toLowerCase()]));
        break;
      case 'isRoutine': {
        const key = JSON.stringify([this.fold(a), b.toLowerCase()]);
        this.#routines.set(key, [...(this.#routines.get(key) ?? []), c.toLowerCase()]);
        break;
      }
    }
  }

  #account(name: string, host: string, data: Value[]): Found {
    if (this.#info.engine === 'mysql') {
      const attributes = JSON.parse(String(data[2] ?? '{}')) as {
        Restrictions?: { Database: string; Privileges: string[] }[];
      };
      const restrictions = attributes.Restrictions ?? [];
      return {
        name,
        host,
        global: this.#flags('global', data.slice(3)),
        restrictions: restrictions.map((one) => ({ database: one.Database, privileges: one.Privileges })),
        defaultRole: undefined,
      };
    }
    const [, , access, version, defaultRole] = data;
    const global = privilegesOfAccess(String(access ?? ''), Number(version ?? 0));
    const role = defaultRole === null || defaultRole === undefined ? undefined : String(defaultRole);
    return { name, host, global, restrictions: [], defaultRole: role === '' ? undefined : role };
  }

  #flags(type: 'global' | 'database', values: Value[]): string[] {
    return flagsOn(type, this.#info).filter((_, i) => values[i] === 'Y');
  }

  #hold(key: string[], privileges: readonly string[], grantable = false, column?: string): void {
    const of = JSON.stringify(key);
    const rows = this.#held.get(of) ?? [];
    this.#held.set(of, rows);
    for (const privilege of privileges)
      rows.push({ privilege, grantable, grantor: '', ...(column === undefined ? {} : { column }) });
  }

  fold(name: string): string {
    return this.#folds ? name.toLowerCase() : name;
  }

  /** The account that a name means: without a host, MariaDB looks for a role first. */
  find(name: string, host: string | undefined): Found | undefined {
    if (host !== undefined) return this.accounts.get(keyOf(name, host));
    const role = this.#info.engine === 'mariadb' ? this.accounts.get(keyOf(name, '')) : undefined;
    return role ?? this.accounts.get(keyOf(name, '%'));
  }

  /** What an account holds on something, by the path that `#take` put it at. */
  heldBy({ name, host }: Pick<Found, 'name' | 'host'>, ...path: string[]): HeldPrivilege[] {
    return this.#held.get(JSON.stringify([keyOf(name, host), ...path])) ?? [];
  }

  /** All that an account holds below the server, by the path that `#take` put it at. */
  everythingOf({ name, host }: Pick<Found, 'name' | 'host'>): { path: string[]; held: HeldPrivilege[] }[] {
    const key = keyOf(name, host);
    return [...this.#held].flatMap(([text, held]) => {
      const [of = '', ...path] = JSON.parse(text) as string[];
      return of === key ? [{ path, held }] : [];
    });
  }

  databases(): string[] {
    return [...this.#there].flatMap((text) => {
      const [kind, database = ''] = JSON.parse(text) as string[];
      return kind === 'isDatabase' ? [database] : [];
    });
  }

  isThere(kind: 'isDatabase' | 'isTable' | 'isColumn', ...path: string[]): boolean {
    const [database = '', table = '', column = ''] = path;
    const names = [this.fold(database), this.fold(table), column.toLowerCase()].slice(0, path.length);
    return this.#there.has(JSON.stringify([kind, ...names]));
  }

  /** What kinds of routines of that name there are. */
  routines(database: string, name: string): string[] {
    return this.#routines.get(JSON.stringify([this.fold(database), name.toLowerCase()])) ?? [];
  }
}

/** Hosts have no case. */
const keyOf = (name: string, host: string): string => JSON.stringify([name, host.toLowerCase()]);
