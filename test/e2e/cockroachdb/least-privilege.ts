/** What CR6 and CR7 share: a login that makes tables, one that uses them, and nobody who can do more. */
import { expect } from 'vitest';
import type { Scene, Scenario } from './scene.ts';

export const DATABASE = 'example-db';
const DENIED = '42501';
const USAGE = 'application-user-example-db-app1';
const CREATE = 'TABLE sometable(some_id serial PRIMARY KEY, some_name VARCHAR (255))';

export function leastPrivilege(step: Scenario): void {
  const app = async (scene: Scene, text: string): Promise<string> =>
    await scene.code(await scene.login('application-user-secret-connection'), text, DATABASE);
  const migrate = async (scene: Scene, text: string): Promise<void> => {
    await scene.as(await scene.login('migration-user-secret-connection'), text, DATABASE);
  };

  step('who may not create is refused by the server, and who may creates', async (scene) => {
    await scene.apply(...scene.manifests.base);
    await scene.ready();
    // The stand-in finds no schema for a name without one, as public is closed to it.
    expect(await app(scene, `CREATE ${CREATE.replace('sometable', 'public.sometable')}`)).toBe(DENIED);
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
    const rows = await scene.as(
      await scene.login('application-user-secret-connection'),
      'SELECT some_name FROM app1.sometable',
      DATABASE,
    );
    expect(rows).toEqual([{ some_name: 'three' }]);
    expect(await app(scene, 'DROP TABLE app1.sometable')).toBe(DENIED);
  });

  step('a grant that leaves is refused at once, and one revoked by hand comes back', async (scene) => {
    await scene.delete('Grant', USAGE);
    expect(await app(scene, 'SELECT * FROM app1.sometable')).toBe(DENIED);
    await scene.apply(scene.manifests.object('Grant', USAGE));
    await scene.ready();
    await scene.sql('REVOKE USAGE ON SCHEMA app1 FROM "application-user"', DATABASE);
    await scene.eventually('the grant is back', async () => (await app(scene, 'SELECT * FROM app1.sometable')) === '');
  });

  step('default privileges that leave are withheld from later tables only', async (scene) => {
    await scene.delete('DefaultPrivileges', 'application-user-example-db');
    await migrate(scene, 'CREATE TABLE app1.later (id int)');
    expect(await app(scene, 'SELECT * FROM app1.later')).toBe(DENIED);
    expect(await app(scene, 'SELECT * FROM app1.sometable')).toBe('');
  });

  step('a password is replaced where it comes from, and the old one ends', async (scene) => {
    const before = await scene.login('application-user-secret-connection');
    await scene.apply(scene.secret('application-user-secret', { password: 'anotherpw' }));
    await scene.eventually('the new one logs in', async () => {
      const after = await scene.login('application-user-secret-connection');
      return after.password !== before.password && (await scene.code(after, 'SELECT 1', DATABASE)) === '';
    });
    expect(await scene.code(before, 'SELECT 1', DATABASE)).toBe('28P01');
  });

  step('schema and database go with what is in them, the roles when they are deleted', async (scene) => {
    await scene.delete('Schema', 'app1');
    await scene.delete('Database', DATABASE);
    expect(await scene.databases()).toEqual(['defaultdb', 'postgres', 'system']);
    expect(await scene.users()).toEqual(['application-user', 'migration-user', 'root']);
    for (const role of ['application-user', 'migration-user']) await scene.delete('Role', role);
    // What names a role that is gone waits for it; here nobody wants it any more.
    for (const grant of scene.manifests.names('Grant')) await scene.delete('Grant', grant);
    expect(await scene.users()).toEqual(['root']);
  });
}
