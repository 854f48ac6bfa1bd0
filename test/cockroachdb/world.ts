/** Resources that are planned and made on a CockroachDB server, as the provider would. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { CockroachEngine } from '../../provider/engines/cockroachdb/engine.ts';
import { COCKROACH_PRIVILEGES } from '../../provider/engines/cockroachdb/privileges.ts';
import { DatabasePlanner } from '../../provider/resources/database.ts';
import { DefaultPrivilegesPlanner } from '../../provider/resources/default-privileges.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import type { Reader } from '../../provider/resources/planner.ts';
import { RolePlanner } from '../../provider/resources/role.ts';
import { SchemaPlanner } from '../../provider/resources/schema.ts';
import { readerOf, Story } from '../planning/story.ts';
import { CockroachServer, cockroachVersions } from '../rig/cockroachdb/server.ts';
import type { Simulator } from '../rig/cockroachdb/simulator.ts';

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const privileges = { cockroachdb: COCKROACH_PRIVILEGES };

export class World {
  readonly server: CockroachServer;
  readonly engine: CockroachEngine;
  readonly #id = randomBytes(4).toString('hex');

  constructor(server: CockroachServer) {
    this.server = server;
    this.engine = new CockroachEngine(server.settings);
  }

  /** A name that no other test has. */
  name(of: string): string {
    return `${of}-${this.#id}`;
  }

  /** One statement as the administrator; {x} stands for the name x of this world, quoted. */
  async sql<Row extends object = Record<string, unknown>>(text: string, database?: string): Promise<Row[]> {
    const named = text.replace(/\{([^{}]+)\}/g, (_, of: string) => quoted(this.name(of)));
    return await this.server.query<Row>(named, [], database);
  }

  /** What a session of that login answers. */
  async as<Row extends object = Record<string, unknown>>(
    of: string,
    password: string,
    text: string,
    database = 'defaultdb',
  ): Promise<Row[]> {
    return await this.server.queryAs<Row>({ name: this.name(of), password }, database, text);
  }

  /** The SQLSTATE with which it fails, or ''. */
  async codeAs(of: string, password: string, text: string, database?: string): Promise<string> {
    return await this.as(of, password, text, database).then(
      () => '',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    );
  }

  async reader(): Promise<Reader> {
    return await readerOf(this.engine);
  }

  database(of: string, spec: object = {}): Story {
    return new Story(this, new DatabasePlanner(), this.name(of), spec);
  }

  schema(name: string, spec: object): Story {
    return new Story(this, new SchemaPlanner(), name, spec);
  }

  role(of: string, spec: object = {}, password?: string): Story {
    return new Story(this, new RolePlanner(), this.name(of), { onDelete: { revokeGrants: true }, ...spec }, password);
  }

  grant(spec: object): Story {
    return new Story(this, new GrantPlanner(privileges), '', spec);
  }

  defaults(spec: object): Story {
    return new Story(this, new DefaultPrivilegesPlanner(privileges), '', spec);
  }

  /** What a role holds directly, as SHOW GRANTS has it: `privilege`, or `privilege*` with the grant option. */
  async held(of: string, on: string, database: string): Promise<string[]> {
    const rows = await this.server.query<{ grantee: string; privilege_type: string; is_grantable: boolean }>(
      `SELECT grantee, privilege_type, is_grantable FROM [SHOW GRANTS ON ${on}]`,
      [],
      database,
    );
    const grantee = of === 'public' ? of : this.name(of);
    return rows
      .filter((row) => row.grantee === grantee)
      .map((row) => `${row.privilege_type}${row.is_grantable ? '*' : ''}`)
      .toSorted();
  }

  async close(): Promise<void> {
    await this.engine.close();
    // Statements that the server would have carried out otherwise than they were meant, or that showed a secret.
    expect(this.server.simulator?.violations ?? []).toEqual([]);
    if (this.server.simulator === undefined) await this.#tidy();
    await this.server.stop();
  }

  async #tidy(): Promise<void> {
    const databases = await this.server.query<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]');
    for (const { name } of databases)
      if (name.includes(this.#id)) await this.server.query(`DROP DATABASE ${quoted(name)} CASCADE`);
    const roles = await this.server.query<{ name: string }>('SELECT username AS name FROM [SHOW ROLES]');
    for (const { name } of roles)
      if (name.includes(this.#id)) {
        await this.server.query(`REVOKE SYSTEM ALL FROM ${quoted(name)}`);
        await this.server.query(`DROP OWNED BY ${quoted(name)}`);
        await this.server.query(`DROP ROLE ${quoted(name)}`);
      }
  }
}

/** Runs the tests in every version, each on a server that the file has to itself. */
export function onEveryVersion(what: string, define: (world: () => World) => void): void {
  describe.each(cockroachVersions)(`${what} on CockroachDB %s`, (version) => {
    let world: World | undefined;
    beforeAll(async () => {
      world = new World(await CockroachServer.start(version));
    });
    afterAll(async () => {
      await world?.close();
    });
    define(() => world!);
  });
}

/** For tests of what only the simulator can make happen. */
export function simulatorOf(world: World): Simulator | undefined {
  return world.server.simulator;
}
