/** CR1 base: the administrator's login, by certificate and by password, and what becomes of it over time. */
import { X509Certificate } from 'node:crypto';
import { describe, expect } from 'vitest';
import type { Condition, KubeObject } from '../../../provider/api/kind.ts';
import { createAuthority } from '../../rig/certificates.ts';
import { type Scene, scenario, type Theatre } from './scene.ts';

const CONFIGS = 'providerconfigs.m.xdatabase.dev';
/** That of the manifests, and the Secret that it names. */
const [HOST, ROOT] = ['example-host', 'cockroachdb-root'];

interface Config extends KubeObject {
  status?: { version?: string; conditions?: Condition[] };
}

const available = async (scene: Scene, name: string, wanted: { status: string; reason: string }): Promise<Config> => {
  let found: Config | undefined;
  await scene.eventually(`${name} is ${wanted.reason}`, async () => {
    found = await scene.cluster.get<Config>(CONFIGS, name, '-n', scene.namespace);
    const condition = found.status?.conditions?.find(({ type }) => type === 'Available');
    if (condition?.status === wanted.status && condition.reason === wanted.reason) return true;
    throw new Error(JSON.stringify(found.status));
  });
  return found!;
};

const IN = { status: 'True', reason: 'LoggedIn' };
const fingerprint = (certificate = ''): string => new X509Certificate(certificate).fingerprint256;
/** Certificates that sessions are logged in with now. */
const inUse = ({ server }: Scene): Set<string> =>
  new Set([...server.sessions].flatMap(({ certificate }) => certificate ?? []));

export function cr1(theatre: Theatre): void {
  describe('CR1 base', () => {
    const step = scenario(theatre, 'cr1');

    step(
      'the administrator is logged in by certificate, or by password, and the server says what it is',
      async (scene) => {
        await scene.open('cr1-base.yaml');
        const password = { username: 'root', password: scene.server.rootPassword, 'ca.crt': scene.ca };
        await scene.apply(...scene.configured('by-password', password));
        const { status } = await available(scene, HOST, IN);
        expect(JSON.stringify(status)).toContain(`${scene.version}.1`);
        await available(scene, 'by-password', IN);
      },
    );

    step('what is wrong with a login is told apart, and heals without an edit of the configuration', async (scene) => {
      const good = { username: 'root', 'ca.crt': scene.ca, ...scene.certificate() };
      const keyless = { username: 'root', 'ca.crt': scene.ca, 'tls.crt': scene.certificate()['tls.crt'] ?? '' };
      const past = new Date(Date.now() - 60_000);
      const bad: [name: string, values: Record<string, string>, reason: string][] = [
        ['wrong-ca', { ...good, 'ca.crt': createAuthority().certificate }, 'CertificateUntrusted'],
        ['expired', { ...good, ...scene.certificate('root', past) }, 'AuthenticationFailed'],
        ['of-another', { ...good, ...scene.certificate('somebody') }, 'AuthenticationFailed'],
        ['keyless', keyless, 'SecretKeyNotFound'],
        ['no-pem', { ...good, 'tls.crt': 'no certificate' }, 'InvalidCertificate'],
      ];
      for (const [name, values] of bad) await scene.apply(...scene.configured(name, values));
      for (const [name, , reason] of bad) await available(scene, name, { status: 'False', reason });
      for (const [name] of bad) await scene.apply(scene.secret(`${name}-admin`, good));
      for (const [name] of bad) await available(scene, name, IN);
      for (const [name] of bad)
        await scene.cluster.kubectl(['delete', CONFIGS, name, '-n', scene.namespace, '--timeout=60s']);
    });

    step('a replaced certificate is taken up without a restart: new sessions use it, old ones end', async (scene) => {
      await scene.apply(scene.managed('Role', 'before', {}, { externalName: 'before' }));
      await scene.ready();
      const old = inUse(scene);
      expect(old.size).toBeGreaterThan(0);
      const renewed = scene.certificate();
      await scene.apply(scene.secret(ROOT, { 'ca.crt': scene.ca, ...renewed }));
      await scene.eventually('only the new certificate is used', async () => {
        const now = inUse(scene);
        if (now.size === 1 && now.has(fingerprint(renewed['tls.crt']))) return await Promise.resolve(true);
        throw new Error(`sessions of ${now.size} certificates`);
      });
      await scene.apply(scene.managed('Role', 'after', {}, { externalName: 'after' }));
      await scene.ready();
      expect([...inUse(scene)].filter((each) => old.has(each))).toEqual([]);
    });

    step('a renewed authority is taken up without a restart, whether it was announced or not', async (scene) => {
      const { ca: before } = scene;
      // Announced: the old one and the new one are trusted for a while, on both sides.
      const next = createAuthority();
      const both = [before, next.certificate].join('\n');
      await scene.apply(scene.secret(ROOT, { 'ca.crt': both, ...scene.certificate() }));
      await scene.apply(scene.managed('Role', 'announced', {}, { externalName: 'announced' }));
      await scene.ready();
      scene.server.renewAuthority(next, [before]);
      await scene.apply(scene.managed('Role', 'renewed', {}, { externalName: 'renewed' }));
      await scene.ready();
      // Not announced.
      scene.server.renewAuthority();
      await available(scene, HOST, { status: 'False', reason: 'CertificateUntrusted' });
      await scene.apply(scene.rootSecret());
      await available(scene, HOST, IN);
    });

    step('the configuration stays while it is used, and goes then', async (scene) => {
      await scene.cluster.kubectl(['delete', CONFIGS, HOST, '-n', scene.namespace, '--wait=false']);
      for (const name of ['before', 'after', 'announced', 'renewed']) await scene.delete('Role', name);
      await scene.eventually('the configuration is gone', async () => {
        const names = await scene.cluster.kubectl(['get', CONFIGS, '-n', scene.namespace, '-o', 'name']);
        return !names.includes(`/${HOST}`);
      });
      await scene.gone();
      expect(scene.server.violations).toEqual([]);
    });
  });
}
