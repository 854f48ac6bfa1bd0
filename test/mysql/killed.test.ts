/**
 * A provider that is killed after any change while tables and programs of a run change places leaves a target that is wholly
 * the old one or wholly the new one, once its run is carried on or given up.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import { type AskCounter, killAt } from '../postgres/cutting-proxy.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';

/** Each test is some thirty lives of one database. */
vi.setConfig({ testTimeout: 300_000 });

/** Statements that change something: killed at any other, the server is as it was after the one before. */
// A statement may come after the number of its attributes.
const CHANGES = /^\W*(ALTER|CREATE|DROP|GRANT|INSERT|RENAME|REVOKE)\b/;
const COM_QUERY = 3;

/** A command is a packet with number 0; the answers to questions of a login have others. */
class Changes implements AskCounter {
  #rest = Buffer.alloc(0);

  in(chunk: Buffer): number {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    let found = 0;
    for (;;) {
      if (this.#rest.length < 4) return found;
      const length = 4 + this.#rest.readUIntLE(0, 3);
      if (this.#rest.length < length) return found;
      const isQuery = this.#rest[3] === 0 && this.#rest[4] === COM_QUERY;
      if (isQuery && CHANGES.test(this.#rest.toString('latin1', 5, Math.min(length, 20)))) found += 1;
      this.#rest = this.#rest.subarray(length);
    }
  }
}

/** One of each flavour. */
const servers = mysqlServers.filter((label) => label !== 'MariaDB 10.11');

describe.each(servers)('killed at any moment on %s', (label) => {
  const server = sharedMysql(label);
  const id = randomBytes(4).toString('hex');
  const [target, stranger] = [`killed_${id}`, `stranger_${id}`];
  const [login, beside, replaced] = [`xdatabase_run_${id}`, `xdatabase_beside_${id}`, `xdatabase_replaced_${id}`];
  let engine: MysqlEngine;

  beforeAll(async () => {
    engine = new MysqlEngine(settingsOf(server, { connectionLimit: 3 }), server.flavour);
    await server.query(`CREATE USER '${stranger}'@'%' IDENTIFIED BY 'stranger-password'`);
  });
  afterAll(async () => {
    await engine.close();
    for (const database of [target, beside, replaced]) await server.query(`DROP DATABASE IF EXISTS ${database}`);
    for (const user of [login, stranger]) await server.query(`DROP USER IF EXISTS '${user}'@'%'`);
  });

  const describeTarget = async (): Promise<unknown> => ({
    tables: await server.query(
      'SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1',
      [target],
    ),
    programs: await server.query(
      `SELECT ROUTINE_NAME AS name, DEFINER AS definer FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
       UNION ALL SELECT TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? ORDER BY 1`,
      [target, target],
    ),
  });

  const made = (name: string, definer: string): string[] => [
    `CREATE TABLE \`${name}\` (id int)`,
    `CREATE ${definer} VIEW \`${name}_view\` AS SELECT id FROM \`${name}\``,
    `CREATE ${definer} TRIGGER \`${name}_trigger\` BEFORE INSERT ON \`${name}\` FOR EACH ROW SET NEW.id = NEW.id + 1`,
    `CREATE ${definer} FUNCTION \`${name}_function\`() RETURNS int DETERMINISTIC RETURN 7`,
  ];

  /** What a provider that was killed at the n-th message leaves, and somebody else makes of it. */
  const life = async (n: number, seen: Map<string, unknown>): Promise<boolean> => {
    await server.query(`CREATE DATABASE ${target}`);
    const admin = await server.login({ name: server.adminUser, password: server.password }, target);
    for (const statement of made('old', `DEFINER = '${stranger}'@'%'`)) await admin.query(statement);
    await admin.end();
    seen.set('old', await describeTarget());
    const order = {
      target,
      beside: { like: target, name: beside, run: 'u', mayBeAdministrators: false },
      replaced,
      login,
      requireEmpty: false,
      endSessions: true,
    };
    await engine.jobs.makeBeside(
      { name: login, password: new Secret('run-password'), validUntil: new Date(Date.now() + 3_600_000) },
      order.beside,
    );
    const loading = await server.login({ name: login, password: 'run-password' }, beside);
    for (const statement of made('fresh', '')) await loading.query(statement);
    await loading.end();
    const proxy = await killAt(server, n, 'after', () => new Changes());
    const killed = new MysqlEngine(settingsOf(server, { port: proxy.port, connectionLimit: 3 }), server.flavour);
    const answer = await killed.jobs.handOver(order).catch(() => 'killed');
    await killed.close();
    await proxy.close();
    if (!proxy.isCut) expect(answer).toBe(0);
    const isGivenUp = n % 2 === 0;
    if (isGivenUp) await engine.jobs.settle(order);
    else expect(await engine.jobs.handOver(order)).toBe(0);
    const found = await describeTarget();
    if (!seen.has('new')) seen.set('new', await describeTarget());
    expect(isGivenUp ? [seen.get('old'), seen.get('new')] : [seen.get('new')], `after change ${n}`).toContainEqual(
      found,
    );
    for (const name of [beside, replaced]) await engine.jobs.dropBeside({ name, run: 'u' });
    await engine.jobs.dropLogin(login);
    expect(
      await server.query('SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (?, ?)', [beside, replaced]),
    ).toEqual([]);
    await server.query(`DROP DATABASE ${target}`);
    return proxy.isCut;
  };

  test('a target is wholly the old or the new one, whether its run is carried on or given up', async () => {
    const seen = new Map<string, unknown>();
    // Never cut: what the new one looks like.
    expect(await life(1001, seen)).toBe(false);
    let n = 0;
    while (await life(n, seen)) n += 1;
    expect(n).toBeGreaterThan(20);
    expect(seen.get('new')).not.toEqual(seen.get('old'));
  });
});
