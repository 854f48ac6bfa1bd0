import type { TestProject } from 'vitest/node';
import { startMariadb, startMysql } from '../mysql.ts';
import { type MysqlServerName, mysqlServers } from '../servers.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const start: Record<MysqlServerName, ReturnType<typeof startMysql>> = {
    'MySQL 9.7': startMysql(),
    'MariaDB 10.11': startMariadb('10.11'),
    'MariaDB 11.8': startMariadb('11.8'),
  };
  const [mysql, older, newer] = await Promise.all(mysqlServers.map((name) => start[name]));
  if (mysql === undefined || older === undefined || newer === undefined) throw new Error('three servers were started');
  project.provide('mysql', {
    'MySQL 9.7': mysql.address,
    'MariaDB 10.11': older.address,
    'MariaDB 11.8': newer.address,
  });
  return async () => {
    await Promise.all([mysql, older, newer].map((server) => server.stop()));
  };
}
