/** CR7 privileges-global-dbserver: CR6 on a server that the platform lends, where namespaces meet. */
import { describe, expect } from 'vitest';
import { managed, resourceName, run, untilCondition } from '../objects.ts';
import { leastPrivilege } from './least-privilege.ts';
import { S3_SECRET, type Scene, scenario, type Theatre } from './scene.ts';

const CONFIG = 'clusterproviderconfigs.m.xdatabase.dev';
const other = ({ namespace }: Scene): string => `${namespace}-other`;
const configName = ({ version }: Scene): string =>
  `example-host-cockroachdb-priviliges-global-v${version.replace('.', '-')}`;

export function cr7(theatre: Theatre): void {
  describe('CR7 privileges-global-dbserver', () => {
    const step = scenario(theatre, 'cr7');

    step('the platform lends a server to two namespaces', async (scene) => {
      const { config } = await scene.read('cr7-privileges-global-dbserver.yaml', other(scene), scene.platform);
      expect(config).toMatchObject({
        kind: 'ClusterProviderConfig',
        metadata: { name: configName(scene) },
        spec: { allowedNamespaces: { names: [scene.namespace, scene.platform] } },
      });
      // The platform lends it to another one, and adds a place for backups.
      const key = { namespace: scene.platform, name: 's3' };
      Object.assign(config.spec, {
        allowedNamespaces: { names: [scene.namespace, other(scene)] },
        storages: [{ name: 'main', s3: { bucket: 'testbucket', credentialsSecretRef: key } }],
      });
      // One of the same name in the namespace itself, that leads nowhere, changes nothing.
      const [admin, nowhere] = scene.configured(configName(scene), {
        password: 'x',
        username: 'root',
        'ca.crt': scene.ca,
      });
      Object.assign(nowhere!['spec'] as object, { endpoint: '127.0.0.1', port: 1 });
      await scene.apply(
        scene.rootSecret(scene.platform),
        scene.secret('s3', { AWS_ACCESS_KEY_ID: 'MYKEY', AWS_SECRET_ACCESS_KEY: S3_SECRET }, scene.platform),
        config,
        admin!,
        nowhere!,
      );
    });
    leastPrivilege(step);

    step('a namespace that is not allowed is refused, and one that is gets no more than its own', async (scene) => {
      const { config } = scene;
      const stranger = scene.platform;
      await scene.apply(managed('Role', stranger, 'role', {}, { externalName: 'stranger', config }));
      await untilCondition(scene.cluster, 'Role', stranger, 'role', 'Synced', 'False', 'NamespaceNotAllowed');
      await scene.apply(
        scene.managed('Role', 'owner', { privileges: { login: false } }, { externalName: 'mine_owner' }),
        scene.managed(
          'Database',
          'db',
          { ownerRef: { name: 'owner' }, dropPolicy: 'Always' },
          { externalName: 'mine' },
        ),
        managed(
          'Role',
          other(scene),
          'owner',
          { privileges: { login: false } },
          { externalName: 'their_owner', config },
        ),
        managed(
          'Database',
          other(scene),
          'db',
          { ownerRef: { name: 'owner' }, dropPolicy: 'Always' },
          { externalName: 'theirs', config },
        ),
      );
      await scene.ready();
      await untilCondition(scene.cluster, 'Database', other(scene), 'db', 'Ready', 'True');
      for (const [kind, name, fields, externalName, reason] of [
        ['Role', 'chief', { privileges: { superUser: true } }, 'chief', 'AttributeNotAllowed'],
        [
          'Grant',
          'system',
          { system: true, role: 'mine_owner', privileges: ['VIEWJOB'] },
          undefined,
          'PrivilegeNotAllowed',
        ],
        ['Grant', 'admin', { memberOf: 'admin', role: 'mine_owner' }, undefined, 'NotYours'],
        ['Grant', 'theirs', { database: 'theirs', role: 'mine_owner', privileges: ['CONNECT'] }, undefined, 'NotYours'],
        ['Database', 'theirs', {}, 'theirs', 'AlreadyManaged'],
        ['Role', 'theirs', { privileges: { login: false } }, 'their_owner', 'AlreadyManaged'],
      ] as const) {
        await scene.apply(scene.managed(kind, name, fields, externalName === undefined ? {} : { externalName }));
        await scene.refused(kind, name, reason);
        await scene.delete(kind, name);
      }
      expect(await scene.databases()).toContain('theirs');
      expect(await scene.users()).toContain('their_owner');
    });

    step('the Secrets of the platform come into no other namespace, not for backups either', async (scene) => {
      scene.age();
      await scene.apply(
        scene.run('Backup', 'once', { databaseRef: { name: 'db' }, storage: { name: 'main' } }),
        scene.run('Backup', 'theft', { database: 'theirs', storage: { name: 'main' } }),
      );
      const once = await scene.until('Backup', 'once', 'Ready', 'True');
      const key = String(once.status?.atProvider?.['key']);
      expect(key.startsWith(`${scene.namespace}/once/mine/`)).toBe(true);
      await scene.refused('Backup', 'theft', 'NotYours');
      await scene.apply(
        run(
          'Restore',
          other(scene),
          'theft',
          { source: { storage: { name: 'main' }, key }, sourceDatabase: 'mine', targetDatabaseRef: { name: 'db' } },
          scene.config,
        ),
      );
      await untilCondition(scene.cluster, 'Restore', other(scene), 'theft', 'Synced', 'False', 'NotYours');
      const secrets = async (namespace: string): Promise<string> =>
        await scene.cluster.kubectl(['get', 'secrets', '-n', namespace, '-o', 'name']);
      expect(await secrets(other(scene))).toBe('');
      // What the manifests themselves brought, and that of the configuration which leads nowhere.
      const own = [...scene.manifests.names('Secret'), `${configName(scene)}-admin`].toSorted();
      expect((await secrets(scene.namespace)).trim()).toBe(own.map((name) => `secret/${name}`).join('\n'));
    });

    step('the configuration stays while anybody uses it', async (scene) => {
      await scene.cluster.kubectl(['delete', CONFIG, configName(scene), '--wait=false']);
      await scene.eventually('it says that it is in use', async () => {
        const { status } = await scene.cluster.get<{ status?: unknown }>(CONFIG, configName(scene));
        return JSON.stringify(status).includes('InUse');
      });
      for (const [kind, name] of [
        ['Restore', 'theft'],
        ['Database', 'db'],
        ['Role', 'owner'],
      ] as const)
        await scene.cluster.kubectl(['delete', resourceName(kind), name, '-n', other(scene), '--timeout=60s']);
      await scene.cluster.kubectl(['delete', resourceName('Role'), 'role', '-n', scene.platform, '--timeout=60s']);
      await scene.gone();
      await scene.eventually('it is gone too', async () => {
        const names = await scene.cluster.kubectl(['get', CONFIG, '-o', 'name']);
        return !names.includes(configName(scene));
      });
      expect(scene.server.violations).toEqual([]);
    });
  });
}
