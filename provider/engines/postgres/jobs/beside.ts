/** Databases beside others: made like them, and put into their place. */
import { ResourceError } from '../../../common/errors.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Beside } from '../../jobs.ts';
import { settingValue } from '../compile/settings.ts';
import { borrow } from '../membership.ts';
import type { Session } from '../session.ts';
import { ident, integer, join, keyword, literal, type Sql, sql } from '../sql.ts';

/** What the row of a database says, as far as a database in its place has to say the same. */
export interface Shape {
  owner: string;
  /** The owner is a superuser, or who we manage with: nobody may act for it. */
  isAdministrators: boolean;
  encoding: string;
  collate: string;
  ctype: string;
  provider: 'libc' | 'icu' | 'builtin';
  locale: string | null;
  icuRules: string | null;
  tablespace: string;
  connectionLimit: number;
  isTemplate: boolean;
  comment: string | null;
  settings: string[] | null;
}

export interface Right {
  grantee: string | null;
  privilege: string;
  grantable: boolean;
}

const shapeQuery = (version: number): string => `
SELECT pg_get_userbyid(d.datdba) AS owner,
  EXISTS (SELECT FROM pg_roles r WHERE r.oid = d.datdba AND (r.rolsuper OR r.rolname = current_user)) AS "isAdministrators",
  pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
  ${version >= 150_000 ? `CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END` : `'libc'`} AS provider,
  ${version >= 170_000 ? 'd.datlocale' : version >= 150_000 ? 'd.daticulocale' : 'NULL'} AS locale,
  ${version >= 160_000 ? 'd.daticurules' : 'NULL'} AS "icuRules", t.spcname AS tablespace,
  d.datconnlimit AS "connectionLimit", d.datistemplate AS "isTemplate", shobj_description(d.oid, 'pg_database') AS comment,
  (SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0) AS settings
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`;

export async function shapeOf(session: Session, name: string, info: ServerInfo): Promise<Shape> {
  const [row] = await session.query(shapeQuery(info.versionNumber), [name]);
  if (row === undefined)
    throw new ResourceError('DatabaseNotFound', `database ${JSON.stringify(name)} does not exist on the server`);
  return row as unknown as Shape;
}

/** Whether a database is there and of that run; one that is there and of no run, or of another, is an error. */
export async function isOfRun(session: Session, { name, run }: Pick<Beside, 'name' | 'run'>): Promise<boolean> {
  const [row] = await session.query(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
    [name],
  );
  if (row === undefined) return false;
  if ([commentOf(run), replacedBy(run)].includes((row['comment'] as string | null) ?? '')) return true;
  throw new ResourceError(
    'AlreadyExists',
    `there is a database ${JSON.stringify(name)} that does not belong to this run; it is left as it is`,
    { retryable: false },
  );
}

/** Followed by the name of the run. */
export const FILLED_BY = 'xdatabase: being filled by run ';
const commentOf = (run: string): string => FILLED_BY + run;
const replacedBy = (run: string): string => `xdatabase: replaced by run ${run}`;

/** CREATE DATABASE and who may use it. The administrator owns it until it is handed over, so that no tenant can connect. */
export function createBeside({ name, run }: Beside, shape: Shape, login: string): { create: Sql; close: Sql[] } {
  const database = ident(name);
  const options: Sql[] = [
    sql`TEMPLATE template0`,
    sql`ENCODING ${literal(shape.encoding)}`,
    sql`LC_COLLATE ${literal(shape.collate)}`,
    sql`LC_CTYPE ${literal(shape.ctype)}`,
  ];
  if (shape.provider !== 'libc') {
    options.push(sql`LOCALE_PROVIDER ${keyword(shape.provider, ['icu', 'builtin'])}`);
    if (shape.locale !== null)
      options.push(
        shape.provider === 'icu'
          ? sql`ICU_LOCALE ${literal(shape.locale)}`
          : sql`BUILTIN_LOCALE ${literal(shape.locale)}`,
      );
    if (shape.icuRules !== null) options.push(sql`ICU_RULES ${literal(shape.icuRules)}`);
  }
  if (shape.tablespace !== 'pg_default') options.push(sql`TABLESPACE ${ident(shape.tablespace)}`);
  return {
    create: sql`CREATE DATABASE ${database} ${join(options, ' ')}`,
    close: [
      sql`COMMENT ON DATABASE ${database} IS ${literal(commentOf(run))}`,
      sql`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
      sql`GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${database} TO ${ident(login)}`,
      ...(shape.isAdministrators
        ? []
        : [sql`GRANT CREATE, TEMPORARY ON DATABASE ${database} TO ${ident(shape.owner)}`]),
    ],
  };
}

const EXTENSIONS = `
SELECT e.extname AS name, n.nspname AS schema, e.extversion AS version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY e.oid`;

export const readExtensions = async (session: Session): Promise<{ name: string; schema: string; version: string }[]> =>
  (await session.query(EXTENSIONS, [])) as unknown as { name: string; schema: string; version: string }[];

/** Whose the things are that are loaded, until they are handed over. */
export const holderOf = (shape: Shape, login: string): string => (shape.isAdministrators ? login : shape.owner);

/** Inside the new database: what takes the administrator is made, and public belongs to who will own all the rest. */
export async function furnish(
  session: Session,
  holder: string,
  extensions: Awaited<ReturnType<typeof readExtensions>>,
  info: ServerInfo,
): Promise<void> {
  const { take, giveBack } = await borrow(
    session,
    [{ kind: 'createSchema', database: session.database, name: 'public', owner: holder }],
    info,
  );
  const statements = extensions
    // Others live in a schema that the dump makes.
    .filter(({ schema }) => schema === 'public' || schema === 'pg_catalog')
    .map(
      ({ name, schema, version }) =>
        sql`CREATE EXTENSION IF NOT EXISTS ${ident(name)} WITH SCHEMA ${ident(schema)} VERSION ${literal(version)}`,
    );
  if (!(await isPublicOutOfReach(session))) statements.push(sql`ALTER SCHEMA public OWNER TO ${ident(holder)}`);
  await session.execute(`BEGIN; ${join([...take, ...statements, ...giveBack], '; ').text}; COMMIT`);
}

/**
 * Up to PostgreSQL 14 the schema public of a new database is the server's first superuser's, and nobody less can change it.
 * Everybody may create in it there, so a load does without.
 */
const OUT_OF_REACH = `
SELECT o.rolsuper AND NOT a.rolsuper AS out FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner,
  pg_roles a WHERE n.nspname = 'public' AND a.rolname = current_user`;

async function isPublicOutOfReach(session: Session): Promise<boolean> {
  const [row] = await session.query(OUT_OF_REACH, []);
  return row?.['out'] === true;
}

const PUBLIC_SCHEMA = `
SELECT pg_get_userbyid(n.nspowner) AS owner, g.rolname AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE n.nspname = 'public'`;

/** Inside the target: who owns the schema public, and who may do what there. */
export async function readPublic(
  session: Session,
): Promise<{ owner: string; rights: Right[]; isOutOfReach: boolean } | undefined> {
  const rows = (await session.query(PUBLIC_SCHEMA, [])) as unknown as (Right & { owner: string })[];
  if (rows[0] === undefined) return undefined;
  return { owner: rows[0].owner, rights: rows, isOutOfReach: await isPublicOutOfReach(session) };
}

/** Inside the database beside, before it is handed over: what the login made is the owner's, and public is as it was. */
export async function finishInside(
  session: Session,
  shape: Shape,
  publicSchema: Awaited<ReturnType<typeof readPublic>>,
  login: string,
  info: ServerInfo,
): Promise<void> {
  const { take, giveBack } = await borrow(
    session,
    [{ kind: 'createSchema', database: session.database, name: 'public', owner: shape.owner }],
    info,
  );
  const statements = [
    sql`GRANT ${ident(login)} TO CURRENT_USER`,
    sql`REASSIGN OWNED BY ${ident(login)} TO ${ident(shape.owner)}`,
    sql`REVOKE ${ident(login)} FROM CURRENT_USER`,
  ];
  const [hasPublic] = await session.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'public'`, []);
  const isAsItWas = publicSchema?.isOutOfReach === true && (await isPublicOutOfReach(session));
  if (publicSchema !== undefined && hasPublic !== undefined && !isAsItWas) {
    const rights = publicSchema.rights.filter(({ grantee }) => grantee !== publicSchema.owner);
    statements.push(
      sql`REVOKE ALL ON SCHEMA public FROM PUBLIC`,
      ...rights.map((right) => grantOn(sql`SCHEMA public`, right)),
      sql`ALTER SCHEMA public OWNER TO ${ident(publicSchema.owner)}`,
    );
  }
  await session.execute(`BEGIN; ${join([...take, ...statements, ...giveBack], '; ').text}; COMMIT`);
}

const PRIVILEGES = ['CREATE', 'CONNECT', 'TEMPORARY', 'USAGE'];

function grantOn(object: Sql, { grantee, privilege, grantable }: Right): Sql {
  const to = grantee === null ? sql`PUBLIC` : ident(grantee);
  const grant = sql`GRANT ${keyword(privilege, PRIVILEGES)} ON ${object} TO ${to}`;
  return grantable && grantee !== null ? sql`${grant} WITH GRANT OPTION` : grant;
}

const RIGHTS = `
SELECT g.rolname AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE d.datname = $1 AND a.grantee <> d.datdba`;

export const readRights = async (session: Session, name: string): Promise<Right[]> =>
  (await session.query(RIGHTS, [name])) as unknown as Right[];

/** One transaction: the names change, and with them everything that people had arranged for the name. */
export function swapNames(
  order: { target: string; beside: Beside; replaced: string; login: string; done: string },
  shape: Shape,
  rights: readonly Right[],
): Sql[] {
  const [target, beside, replaced, owner] = [order.target, order.beside.name, order.replaced, shape.owner].map(
    ident,
  ) as [Sql, Sql, Sql, Sql];
  const limit = sql`ALTER DATABASE ${target} WITH CONNECTION LIMIT ${integer(shape.connectionLimit)}`;
  return [
    sql`ALTER DATABASE ${target} RENAME TO ${replaced}`,
    sql`ALTER DATABASE ${beside} RENAME TO ${target}`,
    sql`REVOKE ALL ON DATABASE ${target} FROM ${ident(order.login)}, ${owner}`,
    sql`ALTER DATABASE ${target} OWNER TO ${owner}`,
    ...rights.map((right) => grantOn(sql`DATABASE ${target}`, right)),
    ...(shape.connectionLimit === -1 ? [] : [limit]),
    ...(shape.isTemplate
      ? [sql`ALTER DATABASE ${replaced} WITH IS_TEMPLATE false`, sql`ALTER DATABASE ${target} WITH IS_TEMPLATE true`]
      : []),
    ...(shape.settings ?? []).map((setting) => {
      const at = setting.indexOf('=');
      const [name, value] = [setting.slice(0, at), setting.slice(at + 1)];
      return sql`ALTER DATABASE ${target} SET ${join(name.split('.').map(ident), '.')} TO ${settingValue(name, value)}`;
    }),
    sql`COMMENT ON DATABASE ${target} IS ${shape.comment === null ? sql`NULL` : literal(shape.comment)}`,
    sql`COMMENT ON DATABASE ${replaced} IS ${literal(replacedBy(order.beside.run))}`,
    sql`COMMENT ON ROLE ${ident(order.login)} IS ${literal(order.done)}`,
  ];
}
