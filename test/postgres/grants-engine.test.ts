import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DefaultPrivileges } from '../../provider/api/default-privileges.ts';
import type { Grant, GrantParameters } from '../../provider/api/grant.ts';
import { Secret } from '../../provider/common/secret.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import { POSTGRES_PRIVILEGES } from '../../provider/engines/postgres/privileges.ts';
import { DefaultPrivilegesPlanner } from '../../provider/resources/default-privileges.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import type { Plan, PlanContext, Reader } from '../../provider/resources/planner.ts';
import { postgresMajors, sharedPostgres } from '../rig/servers.ts';

describe.each(postgresMajors)('PostgreSQL %i, grants through the engine', (major) => {
  const version = sharedPostgres(major).major;
  const server = sharedPostgres(major);
  const id = randomBytes(4).toString('hex');
  const database = `engine grants ${id}`;
  const role = (n: number | string) => `r${n} ${id}`;
  const grants = new GrantPlanner({ postgres: POSTGRES_PRIVILEGES });
  const defaults = new DefaultPrivilegesPlanner({ postgres: POSTGRES_PRIVILEGES });
  let engine: PostgresEngine;
  let reader: Reader;

  beforeAll(async () => {
    await server.query(`CREATE DATABASE "${database}"`);
    engine = open(server.adminUser, server.password);
    reader = await readerOf(engine);
  });
  afterAll(async () => {
    await engine.close();
    await server.query(`DROP DATABASE "${database}" WITH (FORCE)`);
    const roles = await server.query<{ name: string }>(
      'SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname LIKE $1 ORDER BY rolcreaterole',
      [`% ${id}`],
    );
    for (const { name } of roles) await server.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
    await server.disconnect();
  });

  const open = (username: string, password: string) =>
    new PostgresEngine({
      engine: 'postgres',
      host: server.host,
      port: server.port,
      username,
      password: new Secret(password),
      database: 'postgres',
      tls: { mode: 'disable' },
      connectionLimit: 4,
    });
  const readerOf = async (of: PostgresEngine): Promise<Reader> => {
    const info = await of.info();
    const read = async (kind: never, query: never) => (await of.read(kind, [query]))[0];
    return { server: info, read } as unknown as Reader;
  };
  const context = (of: Reader, owned = false, applied?: unknown): PlanContext => ({
    reader: of,
    externalName: '',
    mark: { uid: '', resource: '' },
    owned,
    applied,
    now: new Date(),
  });
  const make = (forProvider: GrantParameters) => ({ spec: { forProvider } }) as unknown as Grant;
  const settle = async (resource: Grant, of = engine, by = reader): Promise<Plan> => {
    const plan = await grants.plan(resource, context(by));
    await of.run(plan.steps);
    const again = await grants.plan(resource, context(by, true, plan.applied));
    expect(again).toMatchObject({ exists: true, steps: [] });
    return plan;
  };
  /** Reads of privileges; others' statements come and go in the statistics. */
  const countReads = async (work: () => Promise<unknown>): Promise<number> => {
    const count = async () =>
      Number(
        (
          await server.query<{ calls: string }>(
            `SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements
             WHERE query LIKE '%aclexplode%' AND dbid = (SELECT oid FROM pg_database WHERE datname = $1)`,
            [database],
          )
        )[0]!.calls,
      );
    const before = await count();
    await work();
    return (await count()) - before;
  };

  test('grants of one object in the same second all succeed (B12)', async () => {
    for (let n = 0; n < 12; n += 1) await server.query(`CREATE ROLE "${role(n)}"`);
    const other = open(server.adminUser, server.password);
    try {
      const by = await readerOf(other);
      await Promise.all(
        Array.from({ length: 12 }, async (_, n) => {
          const all = { role: role(n), database };
          await Promise.all([
            settle(make({ ...all, privileges: ['CREATE', 'CONNECT'] }), n % 2 === 0 ? engine : other, by),
            settle(
              make({ ...all, schema: 'public', privileges: ['CREATE', 'USAGE'] }),
              n % 2 === 0 ? other : engine,
              by,
            ),
          ]);
        }),
      );
    } finally {
      await other.close();
    }
  });

  test('400 partitions for 12 roles at once: nobody waits for nobody, all is held (B12, B13)', async () => {
    await server.query(
      `CREATE SCHEMA many; CREATE TABLE many.t (a int) PARTITION BY LIST (a);
       DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE many.p%s PARTITION OF many.t FOR VALUES IN (%s)', i, i); END LOOP; END $$`,
      [],
      database,
    );
    await Promise.all(
      Array.from(
        { length: 12 },
        async (_, n) =>
          await settle(make({ role: role(n), database, schema: 'many', tables: ['*'], privileges: ['SELECT'] })),
      ),
    );
  }, 120_000);

  test('any number of grants of one database is read by one statement', async () => {
    const queries = Array.from({ length: 200 }, (_, n) => ({
      grantee: { name: role(n % 12) },
      targets: [{ type: 'table' as const, database, schema: 'many', name: n % 3 === 0 ? '*' : `p${n + 1}` }],
    }));
    await engine.read('grant', queries.slice(0, 1));
    const calls = await countReads(async () => {
      const answers = await engine.read('grant', queries);
      expect(answers).toHaveLength(200);
      expect(answers[0]!.objects).toHaveLength(401);
      expect(answers[1]).toMatchObject({ granteeExists: true, missing: [], objects: [{ target: { name: 'p2' } }] });
    });
    expect(calls).toBe(1);
  });

  test('200 creators of 3 types are read by one statement, made, and quiet (B53)', async () => {
    await server.query(
      `DO $$ BEGIN FOR i IN 100..299 LOOP EXECUTE format('CREATE ROLE %I', format('r%s ${id}', i)); END LOOP; END $$`,
    );
    const specs = Array.from({ length: 600 }, (_, n) => ({
      database,
      targetRole: role(100 + (n % 200)),
      role: role(0),
      objectType: (['table', 'sequence', 'function'] as const)[n % 3]!,
      privileges: ['ALL'],
    }));
    const resources = specs.map((forProvider) => ({ spec: { forProvider } }) as unknown as DefaultPrivileges);
    const planAll = async (owned: boolean) => {
      const asked: { query: never; done: (value: never) => void }[] = [];
      const batching = {
        ...reader,
        read: async (_: string, query: never) =>
          await new Promise((done) => {
            asked.push({ query, done });
          }),
      } as unknown as Reader;
      const plans = Promise.all(
        resources.map(async (resource) => await defaults.plan(resource, context(batching, owned))),
      );
      const answers = await engine.read(
        'defaultPrivileges',
        asked.map(({ query }) => query),
      );
      asked.forEach(({ done }, n) => done(answers[n] as never));
      return await plans;
    };
    let plans: Plan[] = [];
    expect(
      await countReads(async () => {
        plans = await planAll(false);
      }),
    ).toBe(1);
    await engine.run(plans.flatMap(({ steps }) => steps));
    expect((await planAll(true)).every(({ exists, steps }) => exists && steps.length === 0)).toBe(true);
  }, 120_000);

  test('an administrator that is no superuser borrows a membership in one transaction, and keeps none when it fails', async () => {
    const admin = role('admin');
    await server.query(`CREATE ROLE "${admin}" LOGIN CREATEROLE CREATEDB PASSWORD 'secret'`);
    const cloud = open(admin, 'secret');
    try {
      await cloud.run([
        { kind: 'createRole', name: role('owner'), attributes: {} },
        { kind: 'createRole', name: role('app'), attributes: {} },
      ]);
      await server.query(
        `CREATE SCHEMA c AUTHORIZATION "${role('owner')}"; SET ROLE "${role('owner')}"; CREATE TABLE c.t (a int); CREATE TABLE c.u (a int)`,
        [],
        database,
      );
      const by = await readerOf(cloud);
      const spec = { role: role('app'), database, schema: 'c', tables: ['*'], privileges: ['SELECT'] };
      const plan = await settle(make(spec), cloud, by);
      await expect(
        cloud.run([...plan.steps, { kind: 'dropRole', name: 'nobody at all' }, ...plan.steps]),
      ).resolves.toBeUndefined();
      const fails = plan.steps.map((step) =>
        step.kind === 'grant' ? { ...step, on: { ...step.on, name: 'gone' } } : step,
      );
      await expect(cloud.run(fails)).rejects.toMatchObject({ code: '42P01' });
      const usable = version >= 16 ? 'AND (set_option OR inherit_option)' : '';
      expect(await server.query(`SELECT FROM pg_auth_members WHERE member = '"${admin}"'::regrole ${usable}`)).toEqual(
        [],
      );
      const gone = await grants.planDelete(make(spec), context(by, true, plan.applied));
      await cloud.run(gone.steps);
      expect(await grants.planDelete(make(spec), context(by, true, plan.applied))).toMatchObject({ exists: false });
      // Tables keep their owner when their schema gets another.
      await server.query(`ALTER SCHEMA c OWNER TO "${server.adminUser}"`, [], database);
      const needed = new RegExp(`^permission denied for schema c .*"${role('owner')}" here, who needs USAGE on`);
      await expect(cloud.run(plan.steps)).rejects.toMatchObject({
        reason: 'PermissionDenied',
        message: expect.stringMatching(needed) as string,
      });
      await server.query(`GRANT USAGE ON SCHEMA c TO "${role('owner')}"`, [], database);
      await settle(make(spec), cloud, by);
    } finally {
      await cloud.close();
    }
  });

  test('whoever reads meanwhile is never refused, whatever the grant turns into (B2, B8)', async () => {
    const login = { name: role('reader'), password: 'secret' };
    await server.query(`CREATE ROLE "${login.name}" LOGIN PASSWORD '${login.password}'`);
    await server.query(
      `CREATE SCHEMA p; CREATE TABLE p.t (a int, b int); GRANT USAGE ON SCHEMA p TO PUBLIC`,
      [],
      database,
    );
    const client = new Client({
      host: server.host,
      port: server.port,
      user: login.name,
      password: login.password,
      database,
    });
    await client.connect();
    let reads = 0;
    try {
      const all = { role: login.name, database, schema: 'p', tables: ['t'] };
      let { applied } = await settle(make({ ...all, privileges: ['SELECT', 'INSERT'] }));
      const changes: Partial<GrantParameters>[] = [
        { privileges: ['SELECT'] },
        { privileges: ['SELECT'], columns: ['a'] },
        { privileges: ['ALL'], withOption: true },
        { privileges: ['SELECT', 'UPDATE'], tables: ['*'] },
        { privileges: ['SELECT'], columns: ['a', 'b'], exclusive: true },
        { privileges: ['SELECT'], exclusive: true },
      ];
      const over = new AbortController();
      const reading = (async () => {
        for (; !over.signal.aborted; reads += 1) await client.query('SELECT a FROM p.t');
      })();
      const changing = (async () => {
        for (const change of changes) {
          const plan = await grants.plan(make({ ...all, ...change }), context(reader, true, applied));
          await engine.run(plan.steps);
          ({ applied } = plan);
        }
      })().finally(() => {
        over.abort();
      });
      await Promise.all([reading, changing]);
      expect(reads).toBeGreaterThan(0);
    } finally {
      await client.end();
    }
  });

  test('a database that is gone is missing, and its grants are gone (B112)', async () => {
    const resource = make({
      role: role(0),
      database: `gone ${id}`,
      schema: 's',
      tables: ['*'],
      privileges: ['SELECT'],
    });
    await expect(grants.plan(resource, context(reader))).rejects.toMatchObject({ reason: 'Waiting' });
    expect(await grants.planDelete(resource, context(reader, true))).toMatchObject({ exists: false, steps: [] });
  });

  test('a grant option that was passed on keeps its grant, and says why it cannot go', async () => {
    await server.query(
      `CREATE SCHEMA d; CREATE TABLE d.t (a int); GRANT USAGE ON SCHEMA d TO "${role(0)}"`,
      [],
      database,
    );
    const resource = make({
      role: role(0),
      database,
      schema: 'd',
      tables: ['t'],
      privileges: ['SELECT'],
      withOption: true,
    });
    const { applied } = await settle(resource);
    await server.query(`SET ROLE "${role(0)}"; GRANT SELECT ON d.t TO "${role(1)}"`, [], database);
    const gone = await grants.planDelete(resource, context(reader, true, applied));
    await expect(engine.run(gone.steps)).rejects.toMatchObject({ reason: 'DependentObjects', code: '2BP01' });
  });
});
