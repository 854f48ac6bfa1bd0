/** What becomes of claims over their lives: ended sooner or later, deleted half-way, made again, no longer offered. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../provider/api/kind.ts';
import { waitFor } from '../../rig/process.ts';
import { conditionOf } from '../objects.ts';
import { type ClaimScene, isReady } from './scene.ts';

const app = { name: 'app', access: 'readWrite' };
const dba = { name: 'dba', access: 'owner' };
const COMPOSITION = 'xdatabases.xdatabase.dev';

interface Composition extends KubeObject {
  spec: { pipeline: { input: Record<string, unknown> }[] };
}

/** @param scene Whose provider starts Jobs, of which nobody runs the pods: what is begun goes on for ever. */
export function lives(scene: ClaimScene): void {
  const { cluster, server } = scene;
  const ending = (expiresAfter?: string): KubeObject => {
    const spec = { roles: [app], dropPolicy: 'Always' };
    return scene.claim('v2', 'ends', { ...spec, ...(expiresAfter === undefined ? {} : { expiresAfter }) });
  };

  beforeAll(async () => {
    // A minute later it may be over.
    await cluster.apply(ending());
  });

  test('a claim that is deleted while its data comes leaves nothing of it', async () => {
    const source = scene.claim('v2', 'origin', { roles: [dba], dropPolicy: 'Always' });
    await scene.ready(source);
    await server.queryAs(await scene.login('origin-dba'), 'origin', 'CREATE TABLE t AS SELECT 1 AS n');
    const copy = scene.claim('v2', 'halfway', {
      source: { copyFrom: { name: 'origin' } },
      roles: [app],
      dropPolicy: 'Always',
    });
    await cluster.apply(copy);
    await scene.untilPhase(copy, 'Filling');
    await waitFor('it is being loaded', async () =>
      (await scene.onServer('halfway')).some((name) => name.startsWith('xdatabase_beside_')),
    );
    await scene.delete(copy);
    await scene.gone('halfway');
    expect(await server.queryAs(await scene.login('origin-dba'), 'origin', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    const { items } = await cluster.get<{ items: KubeObject[] }>('jobs,pods', '-A');
    expect(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    await scene.delete(source);
  });

  describe.each(['v1', 'v2'] as const)('a claim of %s', (version) => {
    test('that is made again while the one before still goes has all of it anew', async () => {
      const name = `again-${version}`;
      const object = scene.claim(version, name, {
        roles: [app, dba],
        schemas: [{ name: 'app' }],
        dropPolicy: 'Always',
        writeConnectionSecretToRef: { name: `${name}-db` },
      });
      const before = String((await scene.ready(object)).metadata.uid);
      await scene.delete(object, '--wait=false');
      const isAnother = await waitFor('it is made again', async () => {
        await cluster.apply(object);
        const { metadata } = await scene.get(object);
        return metadata.uid !== before && metadata.deletionTimestamp === undefined;
      });
      expect(isAnother).toBe(true);
      await scene.until(object, 'is Ready', isReady);
      await waitFor('its Secret opens it', async () => await scene.enters(`${name}-db`, `again_${version}`));
      await scene.delete(object);
      await scene.gone(`again_${version}`);
    });
  });

  test('what the platform offers no longer is refused, what claims have of it stays, and goes with them', async () => {
    const object = scene.claim('v2', 'offered', {
      serverRef: undefined,
      class: 'shared',
      roles: [app, dba],
      dropPolicy: 'Always',
    });
    const compose = async (change: (input: Record<string, unknown>) => Record<string, unknown>): Promise<void> => {
      const { apiVersion, kind, spec } = await cluster.get<Composition>('composition', COMPOSITION);
      const [step] = spec.pipeline;
      step!.input = change(step!.input);
      const input = JSON.stringify({ apiVersion, kind, metadata: { name: COMPOSITION }, spec });
      await cluster.kubectl(['replace', '-f', '-'], { input });
    };
    await scene.ready(object);
    const before = await scene.generations('offered');
    const [step] = (await cluster.get<Composition>('composition', COMPOSITION)).spec.pipeline;
    const stays = async (): Promise<void> => {
      await scene.enters('offered-app', 'offered');
      expect(await scene.generations('offered')).toEqual(before);
      for (const type of ['Ready', 'DatabaseReady', 'RolesReady'])
        expect(conditionOf(await scene.get(object), type)?.status).toBe('True');
    };
    try {
      await compose((input) => ({ ...input, maxRoles: 1 }));
      await scene.says(object, 'Accepted', /^Refused: spec\.roles: there are 2; allowed: at most 1$/);
      await stays();
      await compose(({ maxRoles: _most, classes: _classes, ...input }) => input);
      await scene.says(object, 'Accepted', /^Refused: spec\.class: "shared" is not known/);
      await stays();
      await scene.delete(object);
      await scene.gone('offered');
    } finally {
      await compose(() => step!.input);
    }
  });

  test('the end of a claim may be moved, may be over at once, and may be taken away; nonsense is refused', async () => {
    const { metadata } = await scene.until(ending(), 'is Ready', isReady);
    const born = Date.parse(metadata.creationTimestamp ?? '');
    const endsIn = async (hours: number): Promise<void> => {
      const at = new Date(born + hours * 3_600_000).toISOString().replace('.000Z', 'Z');
      await cluster.apply(ending(`${hours}h`));
      await scene.until(ending(), `says ${at}`, ({ status }) => (status as { expiresAt?: string }).expiresAt === at);
    };
    await endsIn(10);
    await endsIn(2);
    for (const wrong of ['soon', '-1h', '3d', ''])
      await expect(cluster.apply(ending(wrong))).rejects.toThrow(/expiresAfter/);
    await cluster.apply(ending('1s'));
    await scene.says(ending(), 'Accepted', /spec\.expiresAfter: 1s is out of range; allowed: 1m to/);
    await scene.enters('ends-app', 'ends');
    await waitFor('a minute is over', () => Promise.resolve(Date.now() > born + 61_000), { timeout: 90_000 });
    for (const later of ['20h', undefined]) {
      await cluster.apply(ending('1m'));
      await scene.untilPhase(ending(), 'Expired');
      await scene.gone('ends_app');
      expect(await scene.onServer('ends')).not.toContain('ends');
      await cluster.apply(ending(later));
      await scene.until(ending(), 'is Ready', isReady);
      await waitFor('its Secret opens it', async () => await scene.enters('ends-app', 'ends'));
    }
    await scene.delete(ending());
    await scene.gone('ends');
  });
}
