/** The provider with a real API server and real servers of MySQL and MariaDB: scenario MY8, a rotation, and the end. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NotAvailableError } from '../rig/binaries.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { waitFor } from '../rig/process.ts';
import {
  allReady,
  connectionSecret,
  get,
  managed,
  namespaceOf,
  resourceName,
  secret,
  untilCondition,
} from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

/** Undefined, with a line that says why, where such a server cannot be had. */
async function ifItCanBeHad(start: Promise<MysqlServer>): Promise<MysqlServer | undefined> {
  try {
    return await start;
  } catch (error) {
    if (!(error instanceof NotAvailableError)) throw error;
    process.stderr.write(`left out: ${error.message}\n`);
    return undefined;
  }
}

const { cluster, stop } = await ownCluster();
const servers = {
  mysql: await ifItCanBeHad(startMysql({ tls: true })),
  mariadb: await ifItCanBeHad(startMariadb('11.8', { tls: true })),
};
let provider: ProviderProcess;

beforeAll(async () => {
  provider = await startProvider(cluster);
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log());
  await provider.stop();
  for (const server of Object.values(servers)) await server?.stop();
  await stop();
});

describe.each(['mysql', 'mariadb'] as const)('on %s', (engine) => {
  const namespace = `my8-${engine}`;
  const server = servers[engine]!;
  const apply = async (kind: string, name: string, spec: Record<string, unknown>, more = {}) =>
    await cluster.apply([managed(kind, namespace, name, spec, more)]);
  const login = async (name: string) => {
    const values = await connectionSecret(cluster, namespace, name);
    return { name: values['username'] ?? '', password: values['password'] ?? '' };
  };

  test.skipIf(servers[engine] === undefined)(
    'MY8: privileges on the server and on a table come and go, and nothing else does',
    async () => {
      await cluster.apply([
        namespaceOf(namespace),
        secret(namespace, 'admin', { username: server.adminUser, password: server.password }),
        secret(namespace, 'ca', { 'ca.crt': server.authority?.certificate ?? '' }),
        secret(namespace, 'sjuul', { password: `bl'a\\` }),
        {
          apiVersion: 'm.xdatabase.dev/v1alpha1',
          kind: 'ProviderConfig',
          metadata: { namespace, name: 'default' },
          spec: {
            engine,
            endpoint: server.host,
            port: server.port,
            credentials: { secretRef: { name: 'admin' } },
            tls: { caSecretRef: { name: 'ca', key: 'ca.crt' } },
          },
        },
        managed('Role', namespace, 'sjuul', { passwordSecretRef: { name: 'sjuul' } }),
        managed('Role', namespace, 'at-a-host', { host: '10.%' }, { externalName: 'sjuul', secret: 'at-a-host' }),
        managed('Role', namespace, 'rotated', {}, { secret: 'rotated' }),
        managed('Database', namespace, 'example-db', {}),
      ]);
      await allReady(cluster, namespace);
      const sjuul = { name: 'sjuul', password: `bl'a\\` };
      await server.query('CREATE TABLE `example-db`.SomeTable (ID int, Other int)');
      await server.query('CREATE TABLE `example-db`.Second (ID int)');
      const count = async (table = 'SomeTable') =>
        await server.queryAs(sjuul, `SELECT COUNT(*) AS n FROM \`example-db\`.${table}`);
      await expect(count()).rejects.toThrow('denied');

      await apply('Grant', 'table', {
        roleRef: { name: 'sjuul' },
        databaseRef: { name: 'example-db' },
        tables: ['SomeTable'],
        privileges: ['SELECT'],
      });
      await allReady(cluster, namespace);
      expect(await count()).toEqual([{ n: 0 }]);
      await expect(count('Second')).rejects.toThrow('denied');
      await expect(server.queryAs(sjuul, 'INSERT INTO `example-db`.SomeTable VALUES (1, 1)')).rejects.toThrow('denied');
      // The same name at another host is another role, which the Grant does not mean.
      const grants = await server.query("SELECT Host FROM mysql.tables_priv WHERE User = 'sjuul'");
      expect(grants).toEqual([{ Host: '%' }]);

      await apply('Grant', 'server', { role: 'sjuul', system: true, privileges: ['SELECT'] });
      await allReady(cluster, namespace);
      expect(await count('Second')).toEqual([{ n: 0 }]);
      await cluster.kubectl(['delete', resourceName('Grant'), 'table', 'server', '-n', namespace, '--wait']);
      await expect(count()).rejects.toThrow('denied');
    },
  );

  test.skipIf(servers[engine] === undefined)(
    'a password is rotated by a trigger, and the one before it still logs in for a while',
    async () => {
      const before = await login('rotated');
      await server.queryAs(before, 'SELECT 1');
      await apply('Role', 'rotated', { passwordRotation: { trigger: 'now' } }, { secret: 'rotated' });
      await waitFor('another password is in the Secret', async () => {
        const { password } = await login('rotated');
        return password !== before.password;
      });
      const after = await login('rotated');
      await waitFor('it logs in', async () => (await server.queryAs(after, 'SELECT 1')).length === 1);
      await server.queryAs(before, 'SELECT 1');
      const role = await get(cluster, 'Role', namespace, 'rotated');
      expect(JSON.stringify(role)).not.toContain(after.password);
    },
  );

  test.skipIf(servers[engine] === undefined)('what the server itself needs is refused', async () => {
    await apply('Role', 'root', { adopt: true }, { secret: 'root' });
    await untilCondition(cluster, 'Role', namespace, 'root', 'Synced', 'False');
    await server.query('SELECT 1');
    await cluster.kubectl(['delete', resourceName('Role'), 'root', '-n', namespace, '--wait']);
    await server.query('SELECT 1');
  });

  test.skipIf(servers[engine] === undefined)(
    'the end of the namespace is the end of everything but the data',
    async () => {
      await cluster.kubectl(['delete', 'namespace', namespace, '--wait', '--timeout=120s']);
      expect(await server.query("SELECT User FROM mysql.user WHERE User IN ('sjuul', 'rotated')")).toEqual([]);
      expect(await server.query("SHOW DATABASES LIKE 'example-db'")).toHaveLength(1);
    },
  );
});
