/** The words in which obeleh/db-operator gave privileges. */

/** What one entry of db_privs is about. */
export interface OldGrant {
  /** Server-wide on MySQL (`*.*`). */
  system?: boolean;
  database?: string;
  schema?: string;
  tables?: string[];
  columns?: string[];
  routine?: string;
  /** For tables that the grantor will make. */
  isDefault?: boolean;
  privileges: string[];
  withOption?: boolean;
}

export interface OldEntry {
  scope: string;
  privs?: string | undefined;
  defaultPrivs?: string | undefined;
  type?: string | undefined;
}

export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
}

/** At commas outside of parentheses. */
export const listed = (text: string): string[] =>
  text
    .split(/,(?![^(]*\))/)
    .map((item) => item.trim())
    .filter((item) => item !== '');

const words = (text: string): string[] => [...new Set(listed(text).map((item) => item.toUpperCase()))];

const ROLE_ATTRIBUTES: Record<string, string> = {
  SUPERUSER: 'superUser',
  CREATEDB: 'createDb',
  CREATEROLE: 'createRole',
  LOGIN: 'login',
  INHERIT: 'inherit',
  REPLICATION: 'replication',
  BYPASSRLS: 'bypassRls',
};

/** @throws PrivilegeError for a flag that a role cannot have. */
export function roleAttributes(serverPrivs: string): Record<string, boolean> {
  return Object.fromEntries(
    words(serverPrivs).map((flag) => {
      const plain = ROLE_ATTRIBUTES[flag];
      const negated = ROLE_ATTRIBUTES[flag.replace(/^NO/, '')];
      if (plain !== undefined) return [plain, true];
      if (negated !== undefined) return [negated, false];
      throw new PrivilegeError(`server_privs ${flag} is not an attribute of a role`);
    }),
  );
}

/** `table:priv,priv`, or `schema.table:priv`, for tables of public or of the schema. */
function ofTables(database: string, text: string): OldGrant[] {
  const tables = new Map<string, Set<string>>();
  let last = '';
  for (const item of listed(text)) {
    const [table, privilege] = item.includes(':') ? item.split(':') : [last, item];
    last = table ?? '';
    const set = tables.get(last) ?? new Set();
    set.add((privilege ?? '').trim().toUpperCase());
    tables.set(last, set);
  }
  return [...tables].map(([name, privileges]) => {
    const [schema, table] = name.includes('.') ? name.split('.') : ['public', name];
    return { database, schema: schema ?? 'public', tables: [table ?? ''], privileges: [...privileges] };
  });
}

/** @throws PrivilegeError for what had no meaning before either. */
export function onPostgres({ scope, privs = '', defaultPrivs, type }: OldEntry): OldGrant[] {
  const [database = '', second, third] = scope.split('.');
  const unusable = (): PrivilegeError =>
    new PrivilegeError(`db_privs with scope ${JSON.stringify(scope)} and priv_type ${JSON.stringify(type ?? '')}`);
  if (type === undefined && defaultPrivs !== undefined && privs === '') {
    if (second?.toUpperCase() !== 'TABLES') throw unusable();
    return [{ database, isDefault: true, privileges: words(defaultPrivs) }];
  }
  const privileges = words(privs);
  switch (type) {
    case 'database':
      if (second !== undefined) throw unusable();
      return [{ database, privileges }];
    case 'schema':
      if (second === undefined || third !== undefined) throw unusable();
      return [{ database, schema: second, privileges }];
    case 'table':
      if (second === undefined) throw unusable();
      if (third === undefined) return [{ database, schema: 'public', tables: [second], privileges }];
      return [{ database, schema: second, tables: [third.toUpperCase() === 'ALL' ? '*' : third], privileges }];
    case 'defaultTable':
      return [{ database, isDefault: true, privileges }];
    case undefined:
      if (privs.includes('/')) throw unusable();
      if (privs.includes(':')) return ofTables(database, privs);
      if (third !== undefined) throw unusable();
      return [second === undefined ? { database, privileges } : { database, schema: second, privileges }];
    default:
      throw unusable();
  }
}

const COLUMNS = /^([A-Z ]+?)\s*\((.*)\)$/i;

/** One grant for each list of columns, as a Grant has one. */
export function onMysql({ scope, privs = '' }: OldEntry): OldGrant[] {
  const routine = /^(?:FUNCTION|PROCEDURE)\s+([^.]+)\.(.+)$/i.exec(scope);
  const [database = '', table = '*'] = scope.split('.');
  const target: Omit<OldGrant, 'privileges'> =
    routine === null
      ? database === '*'
        ? { system: true }
        : { database, ...(table === '*' ? {} : { tables: [table] }) }
      : { database: routine[1] ?? '', routine: routine[2] ?? '' };
  const plain: string[] = [];
  const byColumns = new Map<string, string[]>();
  let withOption = false;
  for (const item of listed(privs)) {
    const word = item.toUpperCase();
    const columns = COLUMNS.exec(item);
    if (word === 'GRANT' || word === 'GRANT OPTION') withOption = true;
    else if (word === 'ALL PRIVILEGES') plain.push('ALL');
    else if (columns !== null) {
      const key = listed(columns[2] ?? '').join(',');
      byColumns.set(key, [...(byColumns.get(key) ?? []), (columns[1] ?? '').trim().toUpperCase()]);
    } else if (word !== 'USAGE' && word !== 'REQUIRESSL') plain.push(word);
  }
  const option = withOption ? { withOption } : {};
  return [
    ...(plain.length === 0 ? [] : [{ ...target, privileges: [...new Set(plain)], ...option }]),
    ...[...byColumns].map(([key, privileges]) => ({ ...target, columns: key.split(','), privileges, ...option })),
  ];
}
