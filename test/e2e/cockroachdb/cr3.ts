/** CR3 schema: a Schema under another name than its resource has, with and without what it holds. */
import { describe, expect } from 'vitest';
import { type Scene, scenario, type Theatre } from './scene.ts';

const DATABASE = 'example-db';

const schema = (scene: Scene, forProvider: object = {}, name = 'books', externalName = 'app1', more: object = {}) =>
  scene.managed('Schema', name, { databaseRef: { name: DATABASE }, ...forProvider }, { externalName, ...more });

const schemas = async (scene: Scene): Promise<string[]> =>
  await scene.column("SELECT schema_name FROM [SHOW SCHEMAS] WHERE schema_name LIKE 'app%' ORDER BY 1", DATABASE);

export function cr3(theatre: Theatre): void {
  describe('CR3 schema', () => {
    const step = scenario(theatre, 'cr3');

    step('a schema without a creator is made, and goes', async (scene) => {
      await scene.open('cr3-schema.yaml');
      await scene.apply(...scene.manifests.base);
      await scene.ready();
      expect(await schemas(scene)).toEqual(['app1']);
      await scene.delete('Schema', 'app1');
      expect(await schemas(scene)).toEqual([]);
    });

    step('a schema is made under its real name, belongs to its creator, and is remade', async (scene) => {
      await scene.apply(
        scene.managed('Role', 'creator', { privileges: { login: false } }, { externalName: 'creator' }),
        schema(scene, { ownerRef: { name: 'creator' } }),
        // Named as the other is really called.
        schema(scene, {}, 'app1', 'app2'),
      );
      await scene.ready();
      expect(await schemas(scene)).toEqual(['app1', 'app2']);
      expect(await scene.column("SELECT owner FROM [SHOW SCHEMAS] WHERE schema_name = 'app1'", DATABASE)).toEqual([
        'creator',
      ]);
      await scene.sql('DROP SCHEMA app2', DATABASE);
      await scene.eventually('it is back', async () => (await schemas(scene)).length === 2);
    });

    step('the right one is dropped, or kept when it may not be deleted', async (scene) => {
      await scene.delete('Schema', 'app1');
      expect(await schemas(scene)).toEqual(['app1']);
      const policies = ['Observe', 'Create', 'Update', 'LateInitialize'];
      await scene.apply(schema(scene, {}, 'kept', 'app3', { policies }));
      await scene.ready();
      await scene.delete('Schema', 'kept');
      expect(await schemas(scene)).toEqual(['app1', 'app3']);
    });

    step('names that the server lives by are refused', async (scene) => {
      await scene.apply(
        schema(scene, {}, 'internal', 'crdb_internal'),
        schema(scene, {}, 'catalog', 'pg_mine'),
        scene.managed('Database', 'system', {}, { externalName: 'system' }),
        scene.managed('Role', 'node', {}, { externalName: 'node' }),
      );
      for (const [kind, name] of [
        ['Schema', 'internal'],
        ['Schema', 'catalog'],
        ['Database', 'system'],
        ['Role', 'node'],
      ] as const) {
        await scene.refused(kind, name, 'ReservedName');
        await scene.delete(kind, name);
      }
    });

    step('what holds rows is kept, and says so, unless it may go with them', async (scene) => {
      await scene.sql('CREATE TABLE app1.t (id int)', DATABASE);
      await scene.sql('INSERT INTO app1.t VALUES (1)', DATABASE);
      await scene.delete('Schema', 'books');
      await expect
        .poll(async () => await scene.events('KeptExternalResource'))
        .toContainEqual(expect.stringMatching(/^schema "app1".* kept: it holds 1 table/));
      expect(await scene.sql('SELECT id FROM app1.t', DATABASE)).toEqual([{ id: 1 }]);
      await scene.apply(schema(scene, { adopt: true, dropPolicy: 'Always' }));
      await scene.ready();
      await scene.delete('Schema', 'books');
      expect(await schemas(scene)).toEqual(['app3']);
      await scene.delete('Database', DATABASE);
      await scene.gone();
    });
  });
}
