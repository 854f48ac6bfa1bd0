/** CR2 generate-secret: a Role whose password nobody has to think of. */
import { describe, expect } from 'vitest';
import { type Scene, scenario, type Theatre } from './scene.ts';

const NAME = 'userwithgeneratedsecret';
const SECRET = 'generated-secret';

/** That of the uri alone. */
async function loginOf(scene: Scene): Promise<{ name: string; password: string; database: string }> {
  const { uri = '' } = await scene.values(SECRET);
  const { username, password, pathname, hostname, port } = new URL(uri);
  expect(`${hostname}:${port}`).toBe(`${scene.server.host}:${scene.server.port}`);
  return { name: username, password: decodeURIComponent(password), database: pathname.slice(1) };
}

const logsIn = async (scene: Scene, login: { name: string; password: string }): Promise<boolean> =>
  (await scene.code(login, 'SELECT 1')) === '';

export function cr2(theatre: Theatre): void {
  describe('CR2 generate-secret', () => {
    const step = scenario(theatre, 'cr2');

    step('the generated Secret is all that a client needs', async (scene) => {
      await scene.open('cr2-generate-secret.yaml');
      await scene.apply(...scene.manifests.base);
      await scene.ready();
      const endpoint = { username: NAME, endpoint: scene.server.host, port: String(scene.server.port) };
      expect(await scene.values(SECRET)).toMatchObject(endpoint);
      // The predecessor had no word for it.
      await scene.edit('Role', 'example-user', { connectionDatabase: 'defaultdb' });
      await scene.eventually(
        'a database is in it',
        async () => (await scene.values(SECRET))['database'] === 'defaultdb',
      );
      expect(await scene.values(SECRET)).toMatchObject(endpoint);
      const { database, ...login } = await loginOf(scene);
      expect(await scene.as(login, 'SELECT 1 AS one', database)).toEqual([{ one: 1 }]);
    });

    step('the Secret is remade when it is deleted, and the password of the role follows', async (scene) => {
      const before = await loginOf(scene);
      await scene.cluster.kubectl(['delete', 'secret', SECRET, '-n', scene.namespace]);
      await scene.eventually('the Secret is back and logs in', async () => await logsIn(scene, await loginOf(scene)));
      const after = await loginOf(scene);
      if (after.password !== before.password) expect(await logsIn(scene, before)).toBe(false);
    });

    step('the password is replaced when that is asked for, and the old one ends', async (scene) => {
      const before = await loginOf(scene);
      await scene.edit('Role', 'example-user', { passwordRotation: { trigger: 'once' } });
      await scene.eventually('another password logs in', async () => {
        const after = await loginOf(scene);
        return after.password !== before.password && (await logsIn(scene, after));
      });
      expect(await logsIn(scene, before)).toBe(false);
    });

    step('a server that cannot be read is not one without the role', async (scene) => {
      const made = (): number => scene.server.statements.filter(({ text }) => /^(CREATE|DROP) ROLE/.test(text)).length;
      const before = made();
      const denied = { code: '42501', message: 'permission denied' };
      scene.server.faults.push({ match: /SHOW ROLES/, do: denied, times: Number.POSITIVE_INFINITY });
      await scene.refused('Role', 'example-user', 'PermissionDenied');
      scene.server.faults.length = 0;
      await scene.ready();
      expect(made()).toBe(before);
    });

    step('the Secret of somebody else is left alone', async (scene) => {
      await scene.apply(
        scene.secret('foreign', { mine: 'yes' }),
        scene.managed('Role', 'other', {}, { externalName: 'other', secret: 'foreign' }),
      );
      await scene.refused('Role', 'other', 'SecretNotOurs');
      expect(await scene.values('foreign')).toEqual({ mine: 'yes' });
      await scene.delete('Role', 'other');
    });

    step('deletion takes the role and its Secret, or leaves the role when it may not be deleted', async (scene) => {
      const policies = ['Observe', 'Create', 'Update', 'LateInitialize'];
      await scene.apply(
        scene.managed('Role', 'kept', { privileges: { login: false } }, { externalName: 'kept', policies }),
      );
      await scene.ready();
      await scene.delete('Role', 'kept');
      await scene.delete('Role', 'example-user');
      expect(await scene.users()).toEqual(['kept', 'root']);
      const secrets = await scene.cluster.kubectl(['get', 'secrets', '-n', scene.namespace, '-o', 'name']);
      expect(secrets).not.toContain(SECRET);
      await scene.sql('DROP ROLE kept');
      await scene.gone();
    });
  });
}
