/** What a server sees of a thousand resources when nothing changes: its general log is the judge. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Managed } from '../../provider/api/kind.ts';
import { Secret } from '../../provider/common/secret.ts';
import { planners } from '../../provider/controllers/sql/planners.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { BatchingReader } from '../../provider/engines/reader.ts';
import type { Plan, Reader } from '../../provider/resources/planner.ts';
import { settingsOf } from '../planning/settings.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';

const DATABASES = 300;
const ROLES = 400;
const GRANTS = 300;

interface Resource {
  kind: string;
  name: string;
  spec: object;
  applied?: unknown;
  owned: boolean;
}

const SWEEP_MS = 60_000;

describe.each([
  ['MySQL 9.7', startMysql],
  ['MariaDB 11.8', async (options: object) => await startMariadb('11.8', options)],
] as const)('a thousand resources on %s', (_, start) => {
  let server: MysqlServer;
  let engine: MysqlEngine;
  let clock = 1_000_000;
  let batching: BatchingReader;
  let resources: Resource[];

  beforeAll(async () => {
    server = await start({ settings: { 'log-output': 'TABLE' } });
    engine = new MysqlEngine(settingsOf(server), server.flavour);
    batching = new BatchingReader(engine, { sweepMs: SWEEP_MS, now: () => clock });
    await batching.prepare();
    const plain = (kind: string, name: string, spec: object): Resource => ({ kind, name, spec, owned: false });
    resources = [
      ...Array.from({ length: DATABASES }, (__, i) => plain('Database', `d${i}`, { characterSet: 'utf8mb4' })),
      ...Array.from({ length: ROLES }, (__, i) => plain('Role', `r${i}`, { require: { type: 'NONE' } })),
      ...Array.from({ length: GRANTS }, (__, i) =>
        plain('Grant', `g${i}`, { role: `r${i}`, database: `d${i}`, privileges: ['SELECT', 'INSERT'] }),
      ),
    ];
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
  });

  async function plan(resource: Resource, reader: Reader): Promise<Plan> {
    const planner = planners.get(resource.kind)!;
    return await planner.plan({ spec: { forProvider: resource.spec } } as unknown as Managed, {
      reader,
      externalName: resource.name,
      mark: { uid: resource.name, resource: `tests/${resource.name}` },
      owned: resource.owned,
      applied: resource.applied,
      ...(resource.kind === 'Role' ? { password: { value: new Secret(`pw ${resource.name}`), generated: false } } : {}),
      now: new Date(clock),
    });
  }

  /** All resources as a queue with ten workers hands them out. */
  async function sweep(): Promise<number> {
    const moment = clock;
    clock += 5;
    const queue = [...resources];
    let steps = 0;
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const found = await plan(next, batching.at(moment));
          steps += found.steps.length;
          if (found.steps.length > 0) await engine.run(found.steps);
          next.applied = JSON.parse(JSON.stringify(found.applied ?? {}));
          next.owned = true;
        }
      }),
    );
    clock = Math.floor(clock / SWEEP_MS + 1) * SWEEP_MS + 1_000;
    return steps;
  }

  async function logged(work: () => Promise<unknown>): Promise<string[]> {
    await server.query('TRUNCATE mysql.general_log');
    await server.query('SET GLOBAL general_log = ON');
    await work();
    await server.query('SET GLOBAL general_log = OFF');
    const rows = await server.query<{ argument: Buffer | string }>(
      "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')",
    );
    return rows
      .map(({ argument }) => argument.toString())
      .filter((text) => !/general_log/.test(text))
      .map((text) => text.trim());
  }

  test('are made, and then seen with five reads a poll and not one write', async () => {
    // Grants wait for databases and roles, which the queue has handed out before them.
    expect(await sweep()).toBeGreaterThanOrEqual(1_000);
    await sweep();
    for (let poll = 0; poll < 2; poll += 1) {
      let steps = -1;
      const statements = await logged(async () => {
        steps = await sweep();
      });
      expect(steps).toBe(0);
      expect(statements.filter((text) => !/^\(?(SELECT|SHOW)\b/i.test(text))).toEqual([]);
      expect(statements.length).toBeLessThanOrEqual(5);
      expect(statements.length).toBeGreaterThan(0);
    }
  }, 120_000);

  test('have no secret in what the server was sent when one of them changed', async () => {
    const statements = await logged(async () => {
      const role = resources.find(({ name }) => name === 'r1')!;
      await engine.run([
        { kind: 'setPassword', name: role.name, password: new Secret('the new password') },
        { kind: 'createRole', name: 'late', attributes: { login: true }, password: new Secret('the late password') },
      ]);
    });
    expect(statements.some((text) => text.startsWith('ALTER USER'))).toBe(true);
    expect(statements.join('\n')).not.toMatch(/the (new|late) password/);
    await server.queryAs({ name: 'r1', password: 'the new password' }, 'SELECT 1');
  });
});
