import { describe, expect, test } from 'vitest';
import { CopyKind } from '../provider/api/copy.ts';
import { RestoreKind } from '../provider/api/restore.ts';
import { parse } from '../provider/api/validate.ts';
import { call, conditionOf, fatal, forProvider, type Json, READY, resourcesOf, seen } from './compose.fixture.ts';

describe('a database that begins with data', () => {
  const source = { copyFrom: { name: 'production', transformSQL: "UPDATE person SET name = 'x'" } };

  test('has nobody but its owner until the data is there', () => {
    const resources = resourcesOf(call({ source }));
    expect(Object.keys(resources).toSorted()).toEqual(['database', 'grant-public', 'role-owner', 'source']);
    expect(resources['source']?.spec.forProvider).toEqual({
      sourceDatabaseSelector: { matchLabels: { 'crossplane.io/composite': 'production' } },
      targetDatabase: 'orders',
      transformSQL: "UPDATE person SET name = 'x'",
      mode: 'FailIfNotEmpty',
    });
    const response = call({ source });
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Filling' });
    expect(conditionOf(response, 'RolesReady')).toContain('Creating: waiting for Role (role-owner)');
  });

  test('gets everything else once it is', () => {
    const all = Object.keys(resourcesOf(call({ schemas: [{ name: 'app' }] })));
    const filled = call(
      { source, schemas: [{ name: 'app' }] },
      seen({ source, schemas: [{ name: 'app' }] }, { source: { status: READY } }),
    );
    const resources = resourcesOf(filled);
    expect(Object.keys(resources).toSorted()).toEqual([...all, 'source'].toSorted());
    // The copy brought the schema along.
    expect(resources['schema-app']?.spec.forProvider).toMatchObject({ adopt: true });
  });

  test.each<[Json, string]>([
    [{ failureReason: 'ToolFailed', failureMessage: 'pg_dump: permission denied' }, 'pg_dump: permission denied'],
    [{ failureReason: 'JobLost' }, 'JobLost'],
  ])('that fails to come says why, and what to do: %j', (atProvider, why) => {
    const status = {
      conditions: [
        { type: 'Synced', status: 'True', reason: 'ReconcileSuccess' },
        { type: 'Ready', status: 'False', reason: 'ToolFailed' },
      ],
      atProvider: { phase: 'Failed', ...atProvider },
    };
    const response = call({ source }, seen({ source }, { source: { status } }));
    const words = `Copy source (source): failed: ${why}; delete it to have it tried again`;
    expect(conditionOf(response, 'DatabaseReady')).toBe(`3 Failing: ${words}`);
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Failing' });
  });

  test('loses nothing that was there when the run is away for a moment', () => {
    const spec = { source };
    const there = resourcesOf(call(spec, seen(spec, { source: { status: READY } })));
    const shown = Object.fromEntries(
      Object.entries(there)
        .filter(([key]) => key !== 'source')
        .map(([key, of]) => [key, { of, status: READY }]),
    );
    expect(Object.keys(resourcesOf(call(spec, seen(spec, shown)))).toSorted()).toEqual(Object.keys(there).toSorted());
  });

  test.each<[string, Json, Json]>([
    [
      'a copy',
      { copyFrom: { database: 'production', serverRef: { name: 'other' } } },
      { sourceDatabase: 'production', sourceProviderConfigRef: { kind: 'ClusterProviderConfig', name: 'other' } },
    ],
    [
      'the newest backup',
      { restoreFrom: { database: 'production', storage: 'main', verifiedOnly: true } },
      { sourceDatabase: 'production', source: { storage: { name: 'main' }, verifiedOnly: true } },
    ],
    [
      'one backup',
      { restoreFrom: { backupRef: { name: 'before-upgrade' } } },
      { source: { backupRef: { name: 'before-upgrade' }, verifiedOnly: false } },
    ],
  ])('comes from %s, as the kind allows', (_, from, expected) => {
    const composed = resourcesOf(call({ source: from }))['source'];
    expect(composed?.spec.forProvider).toMatchObject(expected);
    expect(() =>
      parse(composed?.kind === 'Copy' ? CopyKind : RestoreKind, { ...composed, metadata: { name: 'x' } }),
    ).not.toThrow();
  });

  test('from the database of a claim is found by the labels of claims', () => {
    const claim = { source, claimRef: { name: 'preview', namespace: 'team-b' } };
    expect(forProvider(claim, 'source')['sourceDatabaseSelector']).toEqual({
      matchLabels: { 'crossplane.io/claim-name': 'production', 'crossplane.io/claim-namespace': 'team-b' },
    });
  });

  test.each<[Json, string]>([
    [{}, 'spec.source: exactly one of copyFrom and restoreFrom is required'],
    [{ copyFrom: {} }, 'spec.source.copyFrom: exactly one of name and database is required'],
    [{ copyFrom: { name: 'orders' } }, 'spec.source.copyFrom.name: is this claim itself'],
    [{ copyFrom: { database: 'orders' } }, 'spec.source.copyFrom.database: is the database itself'],
    [{ restoreFrom: { name: 'a' } }, 'spec.source.restoreFrom.storage: is required'],
    [{ restoreFrom: { backupRef: { name: 'a' }, storage: 'm' } }, 'spec.source.restoreFrom: storage and before choose'],
  ])('%j is refused', (wrong, message) => {
    expect(fatal(call({ source: wrong }))).toContain(message);
  });
});

describe('a claim with an end', () => {
  const spec = { expiresAfter: '72h', schemas: [{ name: 'app' }] };
  const made = { metadata: { name: 'orders', namespace: 'team-a', creationTimestamp: '2026-01-01T00:00:00Z' } };
  const end = '2026-01-04T00:00:00Z';
  const at = (atProvider: Json, own: Json = spec) =>
    call(own, seen(own, { database: { status: { ...READY, atProvider } } }, made));
  const keys = (response: ReturnType<typeof call>) => Object.keys(resourcesOf(response)).toSorted();

  test('counts from when it was made, and says when it ends', () => {
    const response = call(spec, seen(spec, {}, made));
    expect(resourcesOf(response)['database']?.spec.forProvider).toMatchObject({ expiresAt: end });
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({ expiresAt: end, phase: 'Creating' });
  });

  test('ends when the provider says that this very time is over, and not by any other word', () => {
    const whole = keys(at({}));
    expect(whole).toContain('role-login-app');
    expect(keys(at({ expired: 'Dropped' }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: '2026-01-03T00:00:00Z' }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: end }, { schemas: spec.schemas }))).toEqual(whole);
    expect(keys(at({ expired: 'Dropped', expiresAt: end }))).toEqual(['database']);
  });

  test('keeps what is inside of a database that is kept, and lets nobody in', () => {
    const ended = at({ expired: 'Kept', expiresAt: end });
    expect(keys(ended)).toEqual(['database', 'grant-public', 'role-owner', 'schema-app']);
    expect(ended.desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Expired', waitingFor: [] });
    expect(conditionOf(ended, 'RolesReady')).toBe(`3 Expired: its time was over at ${end}`);
  });

  test('comes back whole when the end is moved', () => {
    const later = { ...spec, expiresAfter: '96h' };
    expect(keys(at({ expired: 'Kept', expiresAt: end }, later))).toEqual(keys(at({})));
  });

  test.each(['0s', '1s', '9999999h'])('after %s is refused', (expiresAfter) => {
    expect(fatal(call({ expiresAfter }))).toContain(`spec.expiresAfter: ${expiresAfter} is out of range`);
  });
});
