/** Logins and databases of runs on MySQL and MariaDB. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HandOver } from '../../provider/engines/jobs.ts';
import { Secret } from '../../provider/common/secret.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';

describe.each(mysqlServers)('a run on %s', (label) => {
  const server = sharedMysql(label);
  const id = randomBytes(4).toString('hex');
  const [source, target, stranger] = [`src_${id}`, `dst_${id}`, `str_${id}`];
  const [name, beside, replaced] = [`xdatabase_run_${id}`, `xdatabase_beside_${id}`, `xdatabase_replaced_${id}`];
  const password = 'run-password';
  let engine: MysqlEngine;

  const login = () => ({ name, password: new Secret(password), validUntil: new Date(Date.now() + 3_600_000) });
  const orderOf = (how: Pick<HandOver, 'requireEmpty' | 'endSessions'>) => ({
    target,
    beside: { like: target, name: beside, run: 'u', mayBeAdministrators: false },
    replaced,
    login: name,
    ...how,
  });
  const as = async (text: string, database?: string): Promise<object[]> =>
    await server.queryAs({ name, password }, text, database);

  beforeAll(async () => {
    engine = new MysqlEngine(settingsOf(server, { connectionLimit: 3 }), server.flavour);
    for (const database of [source, target, stranger])
      await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
    for (const statement of [
      `CREATE TABLE ${source}.t (id int PRIMARY KEY)`,
      `INSERT INTO ${source}.t VALUES (1), (2)`,
      `CREATE FUNCTION ${source}.f() RETURNS int DETERMINISTIC RETURN 7`,
      `CREATE TABLE ${target}.old (id int)`,
      `CREATE VIEW ${target}.old_view AS SELECT id FROM ${target}.old`,
      `CREATE TABLE ${stranger}.t (id int)`,
    ])
      await server.query(statement);
  });
  afterAll(async () => {
    await engine.close();
    for (const database of [source, target, stranger, beside, replaced])
      await server.query(`DROP DATABASE IF EXISTS ${database}`);
    await server.query(`DROP USER IF EXISTS '${name}'@'%'`);
  });

  test('a dump reads everything of its database, writes nothing, and sees no other', async () => {
    await engine.jobs.makeReader(login(), source);
    expect(await as('SELECT COUNT(*) AS n FROM t', source)).toEqual([{ n: 2 }]);
    const [routine] = await as('SHOW CREATE FUNCTION f', source);
    expect(JSON.stringify(routine)).toContain('RETURN 7');
    await expect(as('INSERT INTO t VALUES (3)', source)).rejects.toMatchObject({ errno: 1142 });
    await expect(as(`SELECT * FROM ${stranger}.t`)).rejects.toMatchObject({ errno: 1142 });
    await engine.jobs.dropLogin(name);
    await engine.jobs.dropLogin(name);
    await expect(as('SELECT 1')).rejects.toMatchObject({ errno: 1045 });
    expect(await server.query('SELECT 1 FROM mysql.user WHERE User = ?', [name])).toEqual([]);
  });

  test('logins that a provider left when it was killed go once they have expired, and those of runs that may live stay', async () => {
    const [left, alive, definer, unsaid] = ['left', 'alive', 'definer', 'unsaid'].map((what) => `${name}_${what}`);
    const age = async (login = '', days: number): Promise<void> => {
      await server.query(
        server.flavour === 'mysql'
          ? `UPDATE mysql.user SET password_last_changed = NOW() - INTERVAL ${days} DAY WHERE User = ?`
          : `UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', UNIX_TIMESTAMP() - ${days} * 86400) WHERE User = ?`,
        [login],
      );
      await server.query('FLUSH PRIVILEGES');
    };
    // Killed between the making and the dropping: nobody drops them.
    for (const [login = '', hours] of [
      [left, 1],
      [definer, 1],
      [alive, 100],
    ] as const)
      await engine.jobs.makeReader(
        { name: login, password: new Secret(password), validUntil: new Date(Date.now() + hours * 3_600_000) },
        source,
      );
    // And within the making.
    await server.query(`CREATE USER ${unsaid} IDENTIFIED BY '${password}'`);
    await server.query(`CREATE DEFINER=${definer}@'%' PROCEDURE ${source}.defined() SELECT 1`);
    await server.query(`GRANT EXECUTE ON PROCEDURE ${source}.defined TO ${definer}`);
    for (const [login, days] of [
      [left, 2],
      [definer, 2],
      [alive, 2],
      [unsaid, 40],
    ] as const)
      await age(login, days);
    await expect(server.queryAs({ name: left ?? '', password }, 'SELECT 1')).rejects.toMatchObject({
      errno: expect.toSatisfy((errno: number) => [1820, 1862].includes(errno)),
    });
    expect(await server.queryAs({ name: alive ?? '', password }, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await engine.jobs.makeReader(login(), source);
    const users = await server.query<{ user: string }>(
      'SELECT User AS user FROM mysql.user WHERE User LIKE ? ORDER BY 1',
      [`${name}%`],
    );
    expect(users.map(({ user }) => user)).toEqual([name, alive, definer]);
    await expect(server.queryAs({ name: definer ?? '', password }, 'SELECT 1')).rejects.toMatchObject({
      errno: expect.toSatisfy((errno: number) => [3118, 4151].includes(errno)),
    });
    expect(JSON.stringify(await server.query(`CALL ${source}.defined()`))).toContain('"1":1');
    await server.query(`DROP PROCEDURE ${source}.defined`);
    for (const user of [alive, definer]) await server.query(`DROP USER ${user}`);
    await engine.jobs.dropLogin(name);
  });

  test('what is loaded beside takes the place of what was there, with its programs, and the administrator defines none of them', async () => {
    const order = orderOf({ requireEmpty: false, endSessions: true });
    expect(await engine.jobs.makeBeside(login(), order.beside)).toEqual({ database: beside });
    for (const statement of [
      'CREATE TABLE parent (id int PRIMARY KEY)',
      'CREATE TABLE child (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES parent (id))',
      'INSERT INTO parent VALUES (1)',
      'INSERT INTO child VALUES (10, 1)',
      'CREATE VIEW a_view AS SELECT id FROM z_view',
      'CREATE VIEW z_view AS SELECT id FROM parent',
      'CREATE FUNCTION parents() RETURNS int READS SQL DATA RETURN (SELECT COUNT(*) FROM parent)',
      'CREATE PROCEDURE p() SELECT 1',
      'CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.id = NEW.id + 1',
      "CREATE EVENT ev ON SCHEDULE AT '2037-01-01' DO DELETE FROM child",
    ].toSorted((a, b) => Number(a.includes('a_view')) - Number(b.includes('a_view'))))
      await as(statement, beside);
    await expect(as(`SELECT * FROM ${target}.old`)).rejects.toMatchObject({ errno: 1142 });
    await expect(as(`SELECT * FROM ${stranger}.t`)).rejects.toMatchObject({ errno: 1142 });
    await expect(as('CREATE USER evil')).rejects.toMatchObject({ errno: 1227 });

    await expect(engine.jobs.handOver({ ...order, requireEmpty: true })).rejects.toMatchObject({
      reason: 'TargetNotEmpty',
    });
    expect(await engine.jobs.handOver(order)).toBe(0);
    expect(await engine.jobs.handOver(order)).toBe(0);
    expect(
      await server.query(
        `SELECT (SELECT COUNT(*) FROM ${target}.child) AS n, ${target}.parents() AS f, (SELECT id FROM ${target}.a_view) AS v`,
      ),
    ).toEqual([{ n: 1, f: 1, v: 1 }]);
    await server.query(`INSERT INTO ${target}.child VALUES (20, 1)`);
    expect(await server.query(`SELECT id FROM ${target}.child ORDER BY 1`)).toEqual([{ id: 10 }, { id: 21 }]);
    await expect(server.query(`INSERT INTO ${target}.child VALUES (30, 99)`)).rejects.toMatchObject({ errno: 1452 });
    expect(
      await server.query('SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?', [target]),
    ).toEqual([{ name: 'ev' }]);
    expect(
      await server.query('SELECT DISTINCT DEFINER AS d FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?', [target]),
    ).toEqual([{ d: `${name}@%` }]);
    expect(
      await server.query(
        'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (?, ?) ORDER BY 1',
        [target, replaced],
      ),
    ).toEqual(['a_view', 'child', 'old', 'parent', 'z_view'].map((table) => ({ name: table })));
    await engine.jobs.dropBeside({ name: beside, run: 'u' });
    await engine.jobs.dropBeside({ name: replaced, run: 'u' });
    await engine.jobs.dropLogin(name);
    // The definer stays, and nobody can log in as it.
    await expect(as('SELECT 1')).rejects.toMatchObject({ errno: expect.any(Number) });
    expect(await server.query(`SELECT ${target}.parents() AS f`)).toEqual([{ f: 1 }]);
    const grants = JSON.stringify(await server.query(`SHOW GRANTS FOR '${name}'@'%'`));
    for (const database of [beside, replaced, source]) expect(grants).not.toContain(database.replaceAll('_', '\\\\_'));
  });

  test('tables of every kind take the place of those of the same names, with their constraints', async () => {
    await server.query(`DROP DATABASE ${target}`);
    await server.query(`CREATE DATABASE ${target}`);
    const order = orderOf({ requireEmpty: false, endSessions: true });
    await engine.jobs.makeBeside(login(), order.beside);
    const statements = [
      'CREATE TABLE parent (id int PRIMARY KEY, CONSTRAINT positive CHECK (id > 0))',
      'CREATE TABLE child (id int PRIMARY KEY, parent int, own int, CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id), CONSTRAINT of_own FOREIGN KEY (own) REFERENCES child (id))',
      'ALTER TABLE parent ADD child int, ADD CONSTRAINT back FOREIGN KEY (child) REFERENCES child (id)',
      'CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)',
      'CREATE TABLE words (id int AUTO_INCREMENT PRIMARY KEY, t text, up varchar(20) AS (UPPER(LEFT(t, 20))) STORED, FULLTEXT (t), KEY (up)) AUTO_INCREMENT = 70',
      'CREATE TABLE old_engine (id int) ENGINE = MyISAM',
      ...(server.flavour === 'mariadb'
        ? [
            'CREATE SEQUENCE numbers START WITH 5',
            'CREATE TABLE numbered (id int DEFAULT (NEXTVAL(numbers) * 2), x int DEFAULT NEXTVAL(numbers))',
            'CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING',
          ]
        : []),
      'INSERT INTO parent (id) VALUES (1)',
      'INSERT INTO child VALUES (10, 1, 10)',
      'UPDATE parent SET child = 10',
    ];
    const described = async (database: string): Promise<unknown> => {
      const tables = await server.query<Record<string, string>>(`SHOW TABLES IN ${database}`);
      const names = tables.map((row) => Object.values(row)[0] ?? '').toSorted((a, b) => (a < b ? -1 : 1));
      const said = names.map(async (table) => await server.query(`SHOW CREATE TABLE ${database}.${table}`));
      return JSON.stringify(await Promise.all(said), undefined, 1).replaceAll(database, 'its own');
    };
    const admin = { name: server.adminUser, password: server.password };
    for (const [user, database] of [
      [admin, target],
      [{ name, password }, beside],
    ] as const) {
      const session = await server.login(user, database);
      for (const statement of statements) await session.query(statement);
      await session.end();
    }
    await server.query(`INSERT INTO ${beside}.parent (id) VALUES (2)`);
    const wanted = await described(beside);
    expect(await engine.jobs.handOver(order)).toBe(0);
    expect(await described(target)).toEqual(wanted);
    expect(await server.query(`SELECT id FROM ${target}.parent ORDER BY 1`)).toEqual([{ id: 1 }, { id: 2 }]);
    for (const [statement, errno] of [
      [`INSERT INTO ${target}.child VALUES (11, 99, NULL)`, 1452],
      [`DELETE FROM ${target}.child WHERE id = 10`, 1451],
    ] as const)
      await expect(server.query(statement)).rejects.toMatchObject({ errno });
    for (const database of [beside, replaced]) await engine.jobs.dropBeside({ name: database, run: 'u' });
    if (server.flavour === 'mariadb') await server.query(`INSERT INTO ${target}.numbered () VALUES ()`);
    await engine.jobs.dropLogin(name);
  });

  test('a view that could not be made in the target is refused while the target is as it was', async () => {
    const order = orderOf({ requireEmpty: false, endSessions: true });
    const before = await server.query(`SHOW TABLES IN ${target}`);
    await engine.jobs.makeBeside(login(), order.beside);
    for (const statement of ['CREATE TABLE t (id int)', 'CREATE VIEW broken AS SELECT id FROM t', 'DROP TABLE t'])
      await as(statement, beside);
    await expect(engine.jobs.handOver(order)).rejects.toMatchObject({
      reason: 'ViewInvalid',
      retryable: false,
      message: expect.stringContaining('"broken"'),
    });
    await engine.jobs.settle(order);
    expect(await server.query(`SHOW TABLES IN ${target}`)).toEqual(before);
    for (const database of [beside, replaced]) await engine.jobs.dropBeside({ name: database, run: 'u' });
    await engine.jobs.dropLogin(name);
  });

  test('a session of somebody else is in the way, or is ended', async () => {
    await server.query(`DROP DATABASE ${target}`);
    await server.query(`CREATE DATABASE ${target}`);
    const order = orderOf({ requireEmpty: true, endSessions: false });
    await engine.jobs.makeBeside(login(), order.beside);
    const other = await server.login({ name: server.adminUser, password: server.password }, target);
    other.on('error', () => {});
    expect(await engine.jobs.handOver(order)).toBe(1);
    expect(await engine.jobs.handOver({ ...order, endSessions: true })).toBe(0);
    await expect(other.query('SELECT 1')).rejects.toThrow();
    other.destroy();
    await engine.jobs.dropBeside({ name: beside, run: 'u' });
    await engine.jobs.dropBeside({ name: replaced, run: 'u' });
    await engine.jobs.dropLogin(name);
    expect(await server.query('SELECT 1 FROM mysql.user WHERE User = ?', [name])).toEqual([]);
  });
});
