import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from './postgres.ts';

describe.each([15, 18])('PostgreSQL %i', (major) => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres({ major, tls: true, settings: { log_statement: 'all' } });
  });

  afterAll(async () => {
    await server?.stop();
  });

  test('is the version that was asked for', async () => {
    const [row] = await server.query<{ version: string }>(`select current_setting('server_version') as version`);
    expect(row?.version).toBe(server.version);
    expect(Math.floor(Number(row?.version))).toBe(major);
  });

  test('counts statements', async () => {
    await server.query('select pg_stat_statements_reset()');
    await server.query('select $1::int + 1', [1]);
    const [row] = await server.query<{ calls: string }>(
      `select calls from pg_stat_statements where query = 'select $1::int + $2'`,
    );
    expect(row?.calls).toBe('1');
  });

  test('speaks TLS with a certificate that its own authority vouches for', async () => {
    const [row] = await server.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(row?.ssl).toBe(true);
  });

  test('keeps passwords as SCRAM verifiers and refuses a wrong one', async () => {
    await server.query(`create role app login password 'right'`);
    const [row] = await server.query<{ rolpassword: string }>(
      `select rolpassword from pg_authid where rolname = 'app'`,
    );
    expect(row?.rolpassword).toMatch(/^SCRAM-SHA-256\$/);
    const who = await server.queryAs({ name: 'app', password: 'right' }, 'postgres', 'select current_user as who');
    expect(who).toEqual([{ who: 'app' }]);
    await expect(server.queryAs({ name: 'app', password: 'wrong' }, 'postgres', 'select 1')).rejects.toThrow(
      /password authentication failed/,
    );
  });

  test('has no session left in a database that was only queried', async () => {
    await server.query('create database transient');
    await server.query('create table t (id int)', [], 'transient');
    await server.query('drop database transient');
  });

  test('has the same data at the same address after it was away', async () => {
    await server.query('create database kept');
    await server.down();
    await expect(server.query('select 1')).rejects.toThrow(/ECONNREFUSED/);
    await server.up();
    expect(await server.query(`select 1 as one from pg_database where datname = 'kept'`)).toEqual([{ one: 1 }]);
  });

  test('leaves nothing behind', async () => {
    const folder = dirname(server.logFile ?? '');
    expect(existsSync(folder)).toBe(true);
    await server.stop();
    expect(existsSync(folder)).toBe(false);
  });
});
