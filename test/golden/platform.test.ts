/** Kinds of a platform's own: nothing but the input of the Composition says what their fields mean. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PeerFunction, startPeerFunction } from '../rig/peer-functions.ts';
import {
  compositeOf,
  documents,
  manifest,
  observe,
  type Package,
  type Rendered,
  type Renderer,
  ROOT,
  startRenderer,
} from './crossplane-render.ts';
import { matchesGolden } from './golden.ts';

const MODERN: Package = {
  definition: 'examples/platform/definition.yaml',
  composition: 'examples/platform/composition.yaml',
};
const LEGACY: Package = {
  definition: 'examples/platform/claims-definition.yaml',
  composition: 'examples/platform/claims-composition.yaml',
};

let renderer: Renderer;
const peers: PeerFunction[] = [];

beforeAll(async () => {
  const addresses: Record<string, string> = {};
  for (const name of ['function-patch-and-transform', 'function-auto-ready'] as const) {
    const peer = await startPeerFunction(name);
    peers.push(peer);
    addresses[name] = peer.address;
  }
  renderer = await startRenderer(addresses);
});
afterAll(async () => {
  await renderer?.stop();
  await Promise.all(peers.map(async (peer) => await peer.stop()));
});

async function load(name: string): Promise<Rendered> {
  const example = await manifest(`examples/platform/${name}.yaml`);
  if (example.kind === 'Store') return compositeOf(example, 'CompositeStore');
  return { ...example, metadata: { ...example.metadata, uid: '7c7d4a3c-0000-4000-8000-000000000003' } };
}

const composedOf = (text: string): Rendered[] => documents(text).slice(1);
const keyOf = ({ metadata }: Rendered): string => metadata.annotations?.['crossplane.io/composition-resource-name'] ?? '';

async function rendered(xr: Rendered, of: Package, more: Parameters<Renderer['render']>[2] = {}): Promise<string> {
  const { code, stdout, stderr } = await renderer.render(xr, of, more);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

describe.each([
  ['small', MODERN],
  ['large', MODERN],
  ['store', LEGACY],
] as const)('the example %s', (name, of) => {
  test('the first call composes what its class gives, under the names of the platform', async () => {
    await matchesGolden(`platform-${name}-first`, await rendered(await load(name), of));
  });

  test('it is what its definition allows, and what it composes is what the CRDs allow', async () => {
    const text = await rendered(await load(name), of);
    const example = await readFile(join(ROOT, `examples/platform/${name}.yaml`), 'utf8');
    const composed = text.split(/^---$/m).filter((one) => !/^kind: (TeamDatabase|CompositeStore)$/m.test(one));
    const { stdout, stderr } = await renderer.validate([example, ...composed].join('\n---\n'), [of.definition]);
    expect(stdout + stderr).toMatch(/0 missing schemas, \d+ success cases, 0 failure cases/);
  });

  test('with everything observed ready it is ready', async () => {
    const xr = await load(name);
    const first = composedOf(await rendered(xr, of));
    const { observed, secrets } = observe(first, xr);
    await matchesGolden(`platform-${name}-ready`, await rendered(xr, of, { observed, required: secrets }));
  });
});

describe('a list of the platform', () => {
  test('loses one entry and with it that role, and no other', async () => {
    const xr = await load('large');
    const before = composedOf(await rendered(xr, MODERN));
    const people = (xr.spec['people'] as { login: string }[]).filter(({ login }) => login !== 'audit');
    const after = composedOf(await rendered({ ...xr, spec: { ...xr.spec, people } }, MODERN));
    expect(after.map(keyOf)).toEqual(before.map(keyOf).filter((key) => key !== 'role-login-audit'));
  });

  test('in another order gives the same', async () => {
    const xr = await load('large');
    const people = (xr.spec['people'] as object[]).toReversed();
    const parts = (xr.spec['parts'] as object[]).toReversed();
    expect(composedOf(await rendered({ ...xr, spec: { ...xr.spec, people, parts } }, MODERN))).toEqual(
      composedOf(await rendered(xr, MODERN)),
    );
  });
});

test.each([
  [{ size: 'M' }, 'spec.size: "M" is not known; allowed: small, large'],
  [{ size: undefined }, 'spec.serverRef: serverRef or class is required'],
  [{ people: [{ login: 'X', mode: 'rw' }] }, 'spec.people[0].login: "X" must be lower-case letters'],
  [{ people: [{ login: 'a', mode: 'boss' }] }, 'spec.people[0].mode: "boss" is not allowed; allowed: owner, readWrite'],
  [{ people: [{ login: 'a' }] }, 'spec.people[0].mode: is required'],
  [{ people: [{ login: 'a', mode: 'ro', limits: { connections: -5 } }] }, 'spec.people[0].limits.connections: -5'],
  [{ people: ['a', 'b', 'c', 'd'].map((login) => ({ login, mode: 'ro' })) }, 'spec.people: there are 4; allowed: at most 3'],
  [{ backups: { at: '*/5 * * * *' } }, 'spec.backups.at: "*/5 * * * *" is too often; allowed: at most every 1h'],
  [{ days: 'three' }, 'spec.days: "three" must be a duration'],
])('%j is refused in the words of the platform, and nothing is composed', async (change, message) => {
  const xr = await load('small');
  const { code, stdout, stderr } = await renderer.render({ ...xr, spec: { ...xr.spec, ...change } }, MODERN);
  expect(stderr).toContain(message);
  expect(code).toBe(1);
  expect(stdout).toBe('');
});

test('in a pipeline, functions before and after it keep what is theirs', async () => {
  const xr = await load('small');
  const of = { ...MODERN, composition: 'examples/platform/pipeline.yaml' };
  const first = await rendered(xr, of);
  await matchesGolden('platform-pipeline-first', first);
  const keys = composedOf(first).map(keyOf);
  expect(keys).toContain('notes');
  expect(keys).toContain('role-login-web');
  const composed = composedOf(first);
  const [notes] = composed.filter(({ kind }) => kind === 'ConfigMap');
  const { observed, secrets } = observe(composed.filter((one) => one !== notes), xr);
  const text = await rendered(xr, of, { observed: [...observed, ...(notes === undefined ? [] : [notes])], required: secrets });
  const [composite] = documents(text);
  expect(JSON.stringify(composite?.['status'])).toContain('"type":"Ready"');
  expect(composite?.['status']).toMatchObject({ database: { phase: 'Ready' } });
});
