/** What CR6 and CR7 share: a login that makes tables, one that uses them, and nobody who can do more. */
import { expect } from 'vitest';
import type { Scene, Scenario } from './scene.ts';

export const DATABASE = 'example-db';
const DENIED = '42501';
const CREATE = 'TABLE sometable(some_id serial PRIMARY KEY, some_name VARCHAR (255))';

/** The Grant of PUBLIC takes from everybody what a new database gives: CONNECT, and all on the schema public. */
const resources = (scene: Scene) => [
  scene.managed(
    'Role',
    'migration-user',
    { onDelete: { keepIfOwner: true } },
    { externalName: 'migration-user', secret: 'migration' },
  ),
  scene.managed('Role', 'application-user', {}, { externalName: 'application-user', secret: 'application' }),
  scene.managed(
    'Database',
    'db',
    { ownerRef: { name: 'migration-user' }, dropPolicy: 'Always' },
    { externalName: DATABASE },
  ),
  scene.managed(
    'Schema',
    'app1',
    { databaseRef: { name: 'db' }, ownerRef: { name: 'migration-user' }, dropPolicy: 'Always' },
    { externalName: 'app1' },
  ),
  scene.managed('Grant', 'everybody', {
    databaseRef: { name: 'db' },
    role: 'PUBLIC',
    privileges: [],
    also: [{ schema: 'public', privileges: ['USAGE'] }],
    exclusive: true,
  }),
  scene.managed('Grant', 'connect', {
    databaseRef: { name: 'db' },
    roleRef: { name: 'application-user' },
    privileges: ['CONNECT'],
  }),
  scene.managed('Grant', 'usage', {
    databaseRef: { name: 'db' },
    schemaRef: { name: 'app1' },
    roleRef: { name: 'application-user' },
    privileges: ['USAGE'],
  }),
  scene.managed('DefaultPrivileges', 'tables', {
    databaseRef: { name: 'db' },
    targetRoleRef: { name: 'migration-user' },
    roleRef: { name: 'application-user' },
    objectType: 'table',
    privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  }),
];

export function leastPrivilege(step: Scenario): void {
  const app = async (scene: Scene, text: string): Promise<string> =>
    await scene.code(await scene.login('application'), text, DATABASE);
  const migrate = async (scene: Scene, text: string): Promise<void> => {
    await scene.as(await scene.login('migration'), text, DATABASE);
  };

  step('who may not create is refused by the server, and who may creates', async (scene) => {
    await scene.apply(...resources(scene));
    await scene.ready();
    expect(await app(scene, `CREATE ${CREATE}`)).toBe(DENIED);
    expect(await app(scene, `CREATE ${CREATE.replace('sometable', 'app1.sometable')}`)).toBe(DENIED);
    await migrate(scene, `CREATE ${CREATE.replace('sometable', 'app1.sometable')}`);
    expect(await scene.users()).toEqual(['application-user', 'migration-user', 'root']);
  });

  step('the other reads and writes what is in it', async (scene) => {
    for (const text of [
      "INSERT INTO app1.sometable (some_name) VALUES ('one'), ('two')",
      "UPDATE app1.sometable SET some_name = 'three' WHERE some_name = 'two'",
      "DELETE FROM app1.sometable WHERE some_name = 'one'",
    ])
      expect(await app(scene, text)).toBe('');
    const rows = await scene.as(await scene.login('application'), 'SELECT some_name FROM app1.sometable', DATABASE);
    expect(rows).toEqual([{ some_name: 'three' }]);
    expect(await app(scene, 'DROP TABLE app1.sometable')).toBe(DENIED);
  });

  step('a grant that leaves is refused at once, and one revoked by hand comes back', async (scene) => {
    await scene.delete('Grant', 'usage');
    expect(await app(scene, 'SELECT * FROM app1.sometable')).toBe(DENIED);
    await scene.apply(...resources(scene).filter(({ metadata }) => metadata.name === 'usage'));
    await scene.ready();
    await scene.sql('REVOKE USAGE ON SCHEMA app1 FROM "application-user"', DATABASE);
    await scene.eventually('the grant is back', async () => (await app(scene, 'SELECT * FROM app1.sometable')) === '');
  });

  step('default privileges that leave are withheld from later tables only', async (scene) => {
    await scene.delete('DefaultPrivileges', 'tables');
    await migrate(scene, 'CREATE TABLE app1.later (id int)');
    expect(await app(scene, 'SELECT * FROM app1.later')).toBe(DENIED);
    expect(await app(scene, 'SELECT * FROM app1.sometable')).toBe('');
  });

  step('passwords are replaced on request', async (scene) => {
    const before = await scene.login('application');
    await scene.edit('Role', 'application-user', { passwordRotation: { trigger: 'once' } });
    await scene.eventually('the new one logs in', async () => {
      const after = await scene.login('application');
      return after.password !== before.password && (await scene.code(after, 'SELECT 1', DATABASE)) === '';
    });
    expect(await scene.code(before, 'SELECT 1', DATABASE)).toBe('28P01');
  });

  step('schema and database go with what is in them, the roles when they are deleted', async (scene) => {
    await scene.delete('Schema', 'app1');
    await scene.delete('Database', 'db');
    expect(await scene.databases()).toEqual(['defaultdb', 'postgres', 'system']);
    expect(await scene.users()).toEqual(['application-user', 'migration-user', 'root']);
    for (const role of ['application-user', 'migration-user']) await scene.delete('Role', role);
    // What names a role that is gone waits for it; here nobody wants it any more.
    for (const grant of ['everybody', 'connect', 'usage']) await scene.delete('Grant', grant);
    expect(await scene.users()).toEqual(['root']);
  });
}
