/** Databases, schemas, extensions and roles that are planned and made on a shared server, as the provider would. */
import { randomBytes } from 'node:crypto';
import { Secret } from '../../provider/common/secret.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import { DatabasePlanner } from '../../provider/resources/database.ts';
import { ExtensionPlanner } from '../../provider/resources/extension.ts';
import type { Reader } from '../../provider/resources/planner.ts';
import { RolePlanner } from '../../provider/resources/role.ts';
import { SchemaPlanner } from '../../provider/resources/schema.ts';
import { readerOf, Story } from '../planning/story.ts';
import type { PostgresMajor } from '../rig/majors.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { postgresMajors, sharedPostgres } from '../rig/servers.ts';

export { Story } from '../planning/story.ts';

export type AdminKind = 'superuser' | 'cloud';

/** Every server that we test, with each of the two kinds of administrators that there are. */
export const circumstances = postgresMajors.flatMap((major) =>
  (['superuser', 'cloud'] as const).map((admin) => [major, admin] as const),
);

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export class Place {
  readonly server: PostgresClient;
  readonly engine: PostgresEngine;
  readonly admin: string;
  readonly #id: string;
  readonly password: string;

  private constructor(server: PostgresClient, admin: string, password: string, id: string) {
    this.server = server;
    this.admin = admin;
    this.password = password;
    this.#id = id;
    this.engine = this.openAt(server.port);
  }

  /** As the same administrator by way of another port. */
  openAt(port: number): PostgresEngine {
    return new PostgresEngine({
      engine: 'postgres',
      host: this.server.host,
      port,
      username: this.admin,
      password: new Secret(this.password),
      database: 'postgres',
      tls: { mode: 'disable' },
      connectionLimit: 3,
    });
  }

  /** `cloud`: the administrator is NOSUPERUSER CREATEROLE CREATEDB, as on a managed server. */
  static async create(major: PostgresMajor, kind: AdminKind): Promise<Place> {
    const server = sharedPostgres(major);
    const id = randomBytes(4).toString('hex');
    const isCloud = kind === 'cloud';
    const [admin, password] = isCloud
      ? [`admin ${id}`, randomBytes(12).toString('hex')]
      : [server.adminUser, server.password];
    if (isCloud) await server.query(`CREATE ROLE ${quoted(admin)} LOGIN CREATEROLE CREATEDB PASSWORD '${password}'`);
    return new Place(server, admin, password, id);
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of} ${this.#id}`;
  }

  get isCloud(): boolean {
    return this.admin !== this.server.adminUser;
  }

  /** As the superuser, who is not who we manage with. {x} stands for the name x of this place, quoted. */
  async sql<Row extends object = Record<string, unknown>>(text: string, database?: string): Promise<Row[]> {
    const named = text.replace(/\{([^{}]+)\}/g, (_, of: string) => quoted(this.name(of)));
    return await this.server.query<Row>(named, [], database);
  }

  /** What a session of that login answers. */
  async as<Row extends object = Record<string, unknown>>(
    name: string,
    password: string,
    text: string,
    database = 'postgres',
  ): Promise<Row[]> {
    return await this.server.queryAs<Row>({ name, password }, database, text);
  }

  async reader(): Promise<Reader> {
    return await readerOf(this.engine);
  }

  database(name: string, spec: object = {}): Story {
    return new Story(this, new DatabasePlanner(), name, spec);
  }

  schema(name: string, spec: object): Story {
    return new Story(this, new SchemaPlanner(), name, spec);
  }

  extension(spec: object): Story {
    return new Story(this, new ExtensionPlanner(), 'extension', spec);
  }

  role(name: string, spec: object = {}, password?: string): Story {
    return new Story(this, new RolePlanner(), name, { onDelete: { revokeGrants: true }, ...spec }, password);
  }

  async close(): Promise<void> {
    await this.engine.close();
    const databases = await this.server.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE strpos(datname, $1) > 0',
      [this.#id],
    );
    for (const { name } of databases) {
      await this.server.query(`ALTER DATABASE ${quoted(name)} IS_TEMPLATE false`);
      await this.server.query(`DROP DATABASE ${quoted(name)} WITH (FORCE)`);
    }
    const roles = await this.server.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_roles WHERE strpos(rolname, $1) > 0 ORDER BY rolname = $2',
      [this.#id, this.admin],
    );
    for (const { name } of roles) await this.server.query(`DROP OWNED BY ${quoted(name)} CASCADE`);
    for (const { name } of roles) await this.server.query(`DROP ROLE ${quoted(name)}`);
    await this.server.disconnect();
  }
}
