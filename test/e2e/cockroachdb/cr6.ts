/** CR6 privileges: least privilege on a server of the namespace's own, and rights that only CockroachDB has. */
import { describe, expect } from 'vitest';
import { DATABASE, leastPrivilege } from './least-privilege.ts';
import { scenario, type Theatre } from './scene.ts';

export function cr6(theatre: Theatre): void {
  describe('CR6 privileges', () => {
    const step = scenario(theatre, 'cr6');

    step('the namespace has a server of its own', async (scene) => {
      await scene.open('cr6-privileges.yaml');
    });
    leastPrivilege(step);

    step('attributes and system privileges shrink with the spec, and BACKUP and RESTORE round-trip', async (scene) => {
      const options = async (): Promise<string> =>
        (await scene.column("SELECT options FROM [SHOW ROLES] WHERE username = 'operator'")).join();
      const held = async (): Promise<string[]> =>
        await scene.column('SELECT privilege_type FROM [SHOW SYSTEM GRANTS FOR operator] ORDER BY 1');
      await scene.apply(
        scene.managed(
          'Role',
          'operator',
          { privileges: { createDb: true, createRole: true } },
          { externalName: 'operator' },
        ),
        scene.managed('Database', 'db', {}, { externalName: DATABASE }),
        scene.managed('Grant', 'system', {
          system: true,
          roleRef: { name: 'operator' },
          privileges: ['BACKUP', 'RESTORE', 'VIEWJOB'],
        }),
        scene.managed('Grant', 'database', {
          databaseRef: { name: 'db' },
          roleRef: { name: 'operator' },
          privileges: ['BACKUP', 'RESTORE'],
        }),
      );
      await scene.ready();
      expect(await options()).toContain('CREATEDB');
      expect(await held()).toEqual(['BACKUP', 'RESTORE', 'VIEWJOB']);
      await scene.edit('Role', 'operator', { privileges: { createDb: false, createRole: true } });
      await scene.edit('Grant', 'system', { privileges: ['VIEWJOB'] });
      await scene.edit('Grant', 'database', { privileges: ['BACKUP'] });
      await scene.eventually('they have shrunk', async () => {
        const database = await scene.column(
          `SELECT privilege_type FROM [SHOW GRANTS ON DATABASE "${DATABASE}"] WHERE grantee = 'operator'`,
        );
        const now = [await options(), ...(await held()), ...database].join(' ');
        if (/^\W*CREATEROLE\W* VIEWJOB BACKUP$/.test(now)) return true;
        throw new Error(now);
      });
    });

    step(
      'a role that is deleted before its database is cleaned up: what it owns goes to whom it is to go',
      async (scene) => {
        await scene.apply(
          scene.managed('Role', 'heir', { privileges: { login: false } }, { externalName: 'heir' }),
          scene.managed(
            'Role',
            'leaver',
            { onDelete: { reassignOwnedTo: 'heir' } },
            { externalName: 'leaver', secret: 'leaver' },
          ),
          scene.managed('Grant', 'leaver-create', {
            databaseRef: { name: 'db' },
            roleRef: { name: 'leaver' },
            privileges: ['CREATE', 'CONNECT'],
          }),
          scene.managed('Grant', 'leaver-system', {
            system: true,
            roleRef: { name: 'leaver' },
            privileges: ['VIEWACTIVITY'],
          }),
        );
        await scene.ready();
        const leaver = await scene.login('leaver');
        await scene.as(leaver, 'CREATE SCHEMA theirs', DATABASE);
        await scene.as(leaver, 'CREATE TABLE theirs.rows (id int)', DATABASE);
        await scene.as(leaver, 'INSERT INTO theirs.rows VALUES (1)', DATABASE);
        await scene.delete('Role', 'leaver');
        expect(await scene.users()).not.toContain('leaver');
        expect(await scene.sql('SELECT owner FROM [SHOW TABLES FROM theirs]', DATABASE)).toEqual([{ owner: 'heir' }]);
        expect(await scene.sql('SELECT id FROM theirs.rows', DATABASE)).toEqual([{ id: 1 }]);
        await scene.sql('DROP SCHEMA theirs CASCADE', DATABASE);
        await scene.gone();
        expect(scene.server.violations).toEqual([]);
      },
    );
  });
}
