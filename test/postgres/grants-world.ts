/** A database and roles of a test's own on a shared server, and resources in them that are reconciled as they would be. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { expect } from 'vitest';
import type { DefaultPrivilegesParameters } from '../../provider/api/default-privileges.ts';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { compileGrantSteps, isGrantStep } from '../../provider/engines/postgres/compile/grants.ts';
import { POSTGRES_PRIVILEGES } from '../../provider/engines/postgres/privileges.ts';
import { readDefaultPrivileges, readGrants, readMemberships } from '../../provider/engines/postgres/reads/grants.ts';
import { DefaultPrivilegesPlanner } from '../../provider/resources/default-privileges.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import type { DefaultPrivilegesQuery, GrantQuery, MembershipQuery } from '../../provider/resources/model/privileges.ts';
import type { ServerInfo } from '../../provider/resources/model/server.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import type { Reader } from '../../provider/resources/planner.ts';
import { GrantStory } from '../planning/grant-story.ts';
import type { PostgresMajor } from '../rig/majors.ts';
import { sharedPostgres } from '../rig/servers.ts';

/** The major version of the server that stands in for one of `postgresMajors`: with a server of your own it is another. */
export const versionOf = (major: PostgresMajor): number => sharedPostgres(major).major;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export class World {
  readonly id = randomBytes(4).toString('hex');
  readonly major: number;
  readonly database: string;
  readonly admin: string;
  readonly #server;
  #root: Client | undefined;
  #session: Client | undefined;
  #info: ServerInfo | undefined;
  #roles: string[] = [];
  /** Every statement that changes something, as it was sent. */
  readonly sent: string[] = [];

  private constructor(major: PostgresMajor, isCloud: boolean) {
    this.#server = sharedPostgres(major);
    this.major = this.#server.major;
    this.database = `grants ${this.id}`;
    this.admin = isCloud ? this.name('admin') : this.#server.adminUser;
  }

  /** `cloud`: the administrator is NOSUPERUSER CREATEROLE CREATEDB, as on a managed server. */
  static async create(major: PostgresMajor, admin: 'superuser' | 'cloud' = 'superuser'): Promise<World> {
    const world = new World(major, admin === 'cloud');
    await world.#open(admin === 'cloud');
    return world;
  }

  async #open(isCloud: boolean): Promise<void> {
    const server = this.#server;
    await server.query(`CREATE DATABASE ${quoted(this.database)}`);
    const password = randomBytes(12).toString('hex');
    if (isCloud) {
      this.#roles.push(this.admin);
      await server.query(`CREATE ROLE ${quoted(this.admin)} LOGIN CREATEROLE CREATEDB PASSWORD '${password}'`);
    }
    this.#root = await this.#connect(server.adminUser, server.password);
    this.#session = await this.#connect(this.admin, isCloud ? password : server.password);
    const { rows } = await this.#session.query<{ number: number }>(
      `SELECT current_setting('server_version_num')::int AS number`,
    );
    const versionNumber = rows[0]!.number;
    this.#info = {
      engine: 'postgres',
      product: `PostgreSQL ${server.version}`,
      versionNumber,
      major: this.major,
      admin: { name: this.admin, superUser: !isCloud, createRole: true, createDb: true },
    };
  }

  async #connect(user: string, password: string): Promise<Client> {
    const { host, port } = this.#server;
    const client = new Client({ host, port, user, password, database: this.database });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  get info(): ServerInfo {
    return this.#info!;
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of} ${this.id}`;
  }

  /** Runs SQL as the superuser in the database; {x} stands for the role x of this world, quoted. */
  async sql<Row extends object = Record<string, unknown>>(text: string, params: unknown[] = []): Promise<Row[]> {
    const result = await this.#root!.query(this.#named(text), params);
    return ((Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? []) as Row[];
  }

  /** As `sql`, with the rights of a role. */
  async as<Row extends object = Record<string, unknown>>(role: string, text: string): Promise<Row[]> {
    await this.#root!.query(`SET ROLE ${quoted(this.name(role))}`);
    try {
      return await this.sql<Row>(text);
    } finally {
      await this.#root!.query('RESET ROLE');
    }
  }

  /** As the administrator that is managed with. */
  async asAdmin(text: string): Promise<void> {
    await this.#session!.query(this.#named(text));
  }

  #named(text: string): string {
    return text.replace(/\{([^{}]+)\}/g, (_, of: string) => quoted(this.name(of)));
  }

  async roles(...names: string[]): Promise<void> {
    for (const of of names) {
      await this.sql(`CREATE ROLE {${of}}`);
      this.#roles.push(this.name(of));
    }
  }

  /** Roles that the administrator makes itself, as on a managed server. */
  async rolesByAdmin(...names: string[]): Promise<void> {
    for (const of of names) {
      await this.asAdmin(`CREATE ROLE {${of}}`);
      this.#roles.push(this.name(of));
    }
  }

  /** For a role of any name, to be dropped at the end. */
  keep(role: string): void {
    this.#roles.push(role);
  }

  async run(steps: readonly Step[]): Promise<void> {
    const mine = steps.filter(isGrantStep);
    expect(mine).toEqual(steps);
    const statements = compileGrantSteps(mine, this.info);
    this.sent.push(...statements.map(({ text }) => text));
    await this.#session!.query('BEGIN');
    try {
      for (const { text } of statements) await this.#session!.query(text);
      await this.#session!.query('COMMIT');
    } catch (error) {
      await this.#session!.query('ROLLBACK');
      throw error;
    }
  }

  reader(): Reader {
    const session = {
      query: async (text: string, params: readonly unknown[]) => (await this.#session!.query(text, [...params])).rows,
    };
    const read = async (kind: string, query: unknown) => {
      if (kind === 'grant') return (await readGrants(session, [query as GrantQuery], this.info))[0];
      if (kind === 'membership') return (await readMemberships(session, [query as MembershipQuery], this.info))[0];
      return (await readDefaultPrivileges(session, [query as DefaultPrivilegesQuery], this.info))[0];
    };
    return { server: this.info, read } as unknown as Reader;
  }

  grant(spec: GrantParameters): GrantStory<GrantParameters> {
    const planner = new GrantPlanner({ postgres: POSTGRES_PRIVILEGES });
    return new GrantStory(this, planner, spec);
  }

  defaults(spec: DefaultPrivilegesParameters): GrantStory<DefaultPrivilegesParameters> {
    const planner = new DefaultPrivilegesPlanner({ postgres: POSTGRES_PRIVILEGES });
    return new GrantStory(this, planner, spec);
  }

  /** What a role holds directly on something, as `privilege`, or `privilege*` with the grant option. */
  async held(role: string, acl: string, from: string): Promise<string[]> {
    const rows = await this.sql<{ word: string }>(
      `SELECT DISTINCT privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END AS word
       FROM ${from}, aclexplode(${acl}) a LEFT JOIN pg_roles g ON g.oid = a.grantee
       WHERE coalesce(g.rolname, 'PUBLIC') = $1 ORDER BY 1`,
      [role === 'PUBLIC' ? role : this.name(role)],
    );
    return rows.map(({ word }) => word);
  }

  heldOnTable(role: string, table: string): Promise<string[]> {
    return this.held(
      role,
      `coalesce(relacl, acldefault('r', relowner))`,
      `(SELECT * FROM pg_class WHERE oid = '${table}'::regclass) c`,
    );
  }

  heldOnDatabase(role: string): Promise<string[]> {
    return this.held(
      role,
      `coalesce(datacl, acldefault('d', datdba))`,
      `(SELECT * FROM pg_database WHERE datname = current_database()) d`,
    );
  }

  async close(): Promise<void> {
    await this.#session?.end();
    await this.#root?.end();
    await this.#server.query(`DROP DATABASE IF EXISTS ${quoted(this.database)} WITH (FORCE)`);
    for (const role of this.#roles.toReversed()) {
      await this.#server.query(`DROP OWNED BY ${quoted(role)}`).catch(() => {});
      await this.#server.query(`DROP ROLE IF EXISTS ${quoted(role)}`);
    }
    await this.#server.disconnect();
  }
}
