/**
 * Databases and what is in them, as the PostgreSQL underneath has them, together with the privileges that the simulator
 * keeps. PostgreSQL is told those that it knows too, so that it refuses what CockroachDB would.
 */
import type { PostgresAddress } from '../postgres-client.ts';
import { Backend, quoted } from './backend.ts';
import { type Level, nativeOf } from './privileges.ts';
import { type Acl, PUBLIC, type State } from './state.ts';
import { SqlError } from './wire.ts';

/** Databases that hold the rows of backups. */
export const COPY_PREFIX = 'simulator copy ';

export interface DatabaseEntry {
  oid: string;
  name: string;
  owner: string;
  comment: string | null;
}

export interface ObjectEntry {
  key: string;
  level: Level;
  schema: string;
  name: string;
  owner: string;
  /** table, view, sequence, materialized view; enum; function, procedure. */
  kind: string;
  comment: string | null;
  /** Of a routine: the types of its arguments. */
  args?: string;
}

const OBJECTS = `
SELECT 'schema' AS level, n.oid::text AS oid, '' AS schema, n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
  'schema' AS kind, obj_description(n.oid, 'pg_namespace') AS comment, NULL AS args
FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid::text, n.nspname, c.relname, pg_get_userbyid(c.relowner),
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'sequence' END,
  NULL, NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT 'type', t.oid::text, n.nspname, t.typname, pg_get_userbyid(t.typowner), 'enum', NULL, NULL
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'
UNION ALL
SELECT 'routine', p.oid::text, n.nspname, p.proname, pg_get_userbyid(p.proowner),
  CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, NULL,
  pg_get_function_identity_arguments(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 3, 4`;

const owner = (name: string): string => (name === 'postgres' ? 'node' : name);

export class Catalog {
  readonly #address: PostgresAddress;
  readonly #state: State;
  readonly #backends = new Map<string, Promise<Backend>>();

  constructor(address: PostgresAddress, state: State) {
    this.#address = address;
    this.#state = state;
  }

  /** A session with all rights; one per database, kept. */
  async #backend(database: string): Promise<Backend> {
    const known = await this.#backends.get(database)?.catch(() => undefined);
    if (known !== undefined && !known.isLost) return known;
    const opened = Backend.open(this.#address, database);
    this.#backends.set(database, opened);
    opened.catch(() => {
      this.#backends.delete(database);
    });
    return await opened;
  }

  async run(database: string, text: string, params: (string | null)[] = []): Promise<Record<string, string | null>[]> {
    const { columns = [], rows = [] } = await (await this.#backend(database)).run(text, params);
    return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i] ?? null])));
  }

  async evict(database: string): Promise<void> {
    const backend = this.#backends.get(database);
    this.#backends.delete(database);
    await (await backend?.catch(() => undefined))?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#backends.keys()].map(async (database) => await this.evict(database)));
  }

  async databases(): Promise<DatabaseEntry[]> {
    return (await this.#databases()).filter(({ name }) => !name.startsWith(COPY_PREFIX));
  }

  async #databases(): Promise<DatabaseEntry[]> {
    const rows = await this.run(
      'postgres',
      `SELECT oid::text, datname AS name, pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment
       FROM pg_database WHERE NOT datistemplate ORDER BY datname COLLATE "C"`,
    );
    return rows.map((row) => ({
      oid: row['oid'] ?? '',
      name: row['name'] ?? '',
      owner: owner(row['owner'] ?? ''),
      comment: row['comment'] ?? null,
    }));
  }

  async exists(database: string): Promise<boolean> {
    return (await this.databases()).some(({ name }) => name === database);
  }

  async database(name: string): Promise<DatabaseEntry> {
    const found = (await this.#databases()).find((entry) => entry.name === name);
    if (found === undefined) throw new SqlError('3D000', `database "${name}" does not exist`);
    return found;
  }

  databaseKey(entry: DatabaseEntry): string {
    return `database ${entry.oid}`;
  }

  /** Everything in a database; what is new gets the privileges that its creator's defaults give. */
  async objects(database: string): Promise<ObjectEntry[]> {
    const entry = await this.database(database);
    this.#known(this.databaseKey(entry), () => newDatabase());
    const rows = await this.run(database, OBJECTS);
    const objects = rows.map((row): ObjectEntry => {
      const level = row['level'] as Level;
      return {
        key: `${level} ${entry.oid} ${row['oid']}`,
        level,
        schema: row['schema'] ?? '',
        name: row['name'] ?? '',
        owner: owner(row['owner'] ?? ''),
        kind: row['kind'] ?? '',
        comment: row['comment'] ?? null,
        ...(row['args'] == null ? {} : { args: row['args'] }),
      };
    });
    for (const object of objects)
      if (!this.#state.acls.has(object.key)) {
        this.#state.acls.set(object.key, this.#newObject(entry, object));
        await this.project(database, object);
      }
    return objects;
  }

  #known(key: string, make: () => Acl): Acl {
    const acl = this.#state.acls.get(key) ?? make();
    this.#state.acls.set(key, acl);
    return acl;
  }

  async databaseAcl(name: string): Promise<Acl> {
    return this.#known(this.databaseKey(await this.database(name)), () => newDatabase());
  }

  /** The privileges of an object that `objects` has told of. */
  aclOf(object: ObjectEntry): Acl {
    const acl = this.#state.acls.get(object.key);
    if (acl === undefined) throw new Error(`no privileges for ${object.key}`);
    return acl;
  }

  #newObject(database: DatabaseEntry, object: ObjectEntry): Acl {
    const acl: Acl = new Map([
      ['admin', new Map([['ALL', true]])],
      ['root', new Map([['ALL', true]])],
    ]);
    if (object.level === 'schema' && object.name === 'public') {
      acl.set(
        PUBLIC,
        new Map([
          ['CREATE', false],
          ['USAGE', false],
        ]),
      );
      return acl;
    }
    const type = DEFAULT_TYPES[object.level];
    if (type === undefined) return acl;
    const layers = [
      this.defaultsOf(database.oid, object.owner, '', type),
      this.#state.defaults.get(defaultsKey(database.oid, '', '', type)),
      ...(object.schema === ''
        ? []
        : [object.owner, ''].map((role) =>
            this.#state.defaults.get(defaultsKey(database.oid, role, object.schema, type)),
          )),
    ];
    for (const layer of layers)
      for (const [grantee, held] of layer ?? []) {
        const own = acl.get(grantee) ?? new Map<string, boolean>();
        for (const [privilege, option] of held) own.set(privilege, option || own.get(privilege) === true);
        acl.set(grantee, own);
      }
    return acl;
  }

  /** Default privileges of a role (`''` = of all) in a schema (`''` = everywhere), implicit ones included. */
  defaultsOf(databaseOid: string, role: string, schema: string, type: string): Acl {
    const key = defaultsKey(databaseOid, role, schema, type);
    const stored = this.#state.defaults.get(key);
    if (stored !== undefined) return stored;
    const implicit: Acl = new Map();
    if (schema === '') {
      if (role !== '') implicit.set(role, new Map([['ALL', true]]));
      if (type === 'types') implicit.set(PUBLIC, new Map([['USAGE', false]]));
      if (type === 'routines') implicit.set(PUBLIC, new Map([['EXECUTE', false]]));
    }
    return implicit;
  }

  /** Tells PostgreSQL what it can know of the privileges on an object. */
  async project(database: string, object: ObjectEntry, grantees?: readonly string[]): Promise<void> {
    const acl = this.aclOf(object);
    const keyword = { table: 'TABLE', sequence: 'SEQUENCE', schema: 'SCHEMA', type: 'TYPE', routine: 'ROUTINE' }[
      object.level as 'table'
    ];
    const path = object.level === 'schema' ? quoted(object.name) : `${quoted(object.schema)}.${quoted(object.name)}`;
    const on = `${keyword} ${path}${object.args === undefined ? '' : `(${object.args})`}`;
    await this.#tell(database, on, object.level, acl, grantees ?? [PUBLIC, ...acl.keys()]);
  }

  async projectDatabase(name: string, grantees: readonly string[]): Promise<void> {
    await this.#tell('postgres', `DATABASE ${quoted(name)}`, 'database', await this.databaseAcl(name), grantees);
  }

  async #tell(database: string, on: string, level: Level, acl: Acl, grantees: readonly string[]): Promise<void> {
    const statements: string[] = [];
    for (const grantee of new Set(grantees)) {
      if (grantee === 'admin' || grantee === 'root') continue;
      const who = grantee === PUBLIC ? 'PUBLIC' : quoted(grantee);
      statements.push(`REVOKE ALL ON ${on} FROM ${who}`);
      const native = nativeOf(level, acl.get(grantee) ?? new Map());
      if (native.length > 0) statements.push(`GRANT ${native.join(', ')} ON ${on} TO ${who}`);
    }
    for (const statement of statements) await this.run(database, statement);
  }
}

/** As ALTER and DROP name an object. */
export function definition({ level, kind, schema, name, args }: ObjectEntry): string {
  if (level === 'schema') return `SCHEMA ${quoted(name)}`;
  const path = `${quoted(schema)}.${quoted(name)}`;
  if (level === 'routine') return `ROUTINE ${path}(${args ?? ''})`;
  return `${level === 'type' ? 'TYPE' : kind.toUpperCase()} ${path}`;
}

export const DEFAULT_TYPES: Readonly<Partial<Record<Level, string>>> = {
  schema: 'schemas',
  table: 'tables',
  sequence: 'sequences',
  type: 'types',
  routine: 'routines',
};

export const defaultsKey = (databaseOid: string, role: string, schema: string, type: string): string =>
  JSON.stringify([databaseOid, role, schema, type]);

const newDatabase = (): Acl =>
  new Map([
    ['admin', new Map([['ALL', true]])],
    ['root', new Map([['ALL', true]])],
    [PUBLIC, new Map([['CONNECT', false]])],
  ]);
