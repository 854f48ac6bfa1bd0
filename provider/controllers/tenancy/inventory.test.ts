import { describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { CachedInventory } from './inventory.ts';
import type { ServerPolicy } from './policy.ts';

const resource = {
  spec: { providerConfigRef: { kind: 'ClusterProviderConfig', name: 'shared' } },
  metadata: {},
} as unknown as Managed;

function policyOf(kind: ProviderConfig['kind'], spec: Record<string, unknown> = {}): ServerPolicy | undefined {
  const config = { kind, metadata: { name: 'shared' }, spec: { engine: 'postgres', endpoint: 'DB.example', ...spec } };
  return new CachedInventory({ store: () => undefined, config: () => config as unknown as ProviderConfig }).policy(
    resource,
  );
}

describe('the policy of a server', () => {
  test('isolates the namespaces of a ClusterProviderConfig unless told otherwise', () => {
    expect(policyOf('ClusterProviderConfig')?.isolated).toBe(true);
    expect(policyOf('ClusterProviderConfig', { isolation: 'None' })?.isolated).toBe(false);
    expect(policyOf('ProviderConfig')?.isolated).toBe(false);
  });

  test('is that of one server for all spellings of its address', () => {
    expect(policyOf('ClusterProviderConfig')?.server).toBe(
      policyOf('ProviderConfig', { endpoint: 'db.EXAMPLE', port: 5432 })?.server,
    );
    expect(policyOf('ClusterProviderConfig', { port: 5433 })?.server).not.toBe(
      policyOf('ClusterProviderConfig')?.server,
    );
  });

  test('allows only trusted extensions when none are listed: file_fdw would read the files of the server', () => {
    const allowed = policyOf('ClusterProviderConfig')?.allowedExtensions;
    expect(allowed?.has('pgcrypto')).toBe(true);
    for (const name of ['file_fdw', 'dblink', 'postgres_fdw', 'plpython3u', 'adminpack'])
      expect(allowed?.has(name)).toBe(false);
  });

  test('allows what is listed, and everything with *', () => {
    expect([
      ...(policyOf('ClusterProviderConfig', { allowedExtensions: ['dblink'] })?.allowedExtensions ?? []),
    ]).toEqual(['dblink']);
    expect(policyOf('ClusterProviderConfig', { allowedExtensions: ['*'] })?.allowedExtensions).toBeUndefined();
  });
});
