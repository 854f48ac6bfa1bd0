import { Ready, RunFunctionResponse, Status } from '@crossplane-org/function-sdk-typescript';
import { describe, expect, test } from 'vitest';
import { call, type Json, resourcesOf, xr } from './compose.fixture.ts';

/** Composes, then shows everything as the provider would have made it. */
function observed(spec: Json, status: (key: string) => Json, details: Record<string, string> = {}): object {
  const resources = Object.fromEntries(
    Object.entries(resourcesOf(call(spec))).map(([key, resource]) => [
      key,
      {
        resource: { ...resource, metadata: { ...resource.metadata, name: `orders-${key}` }, status: status(key) },
        connectionDetails:
          key === 'role-login-app'
            ? Object.fromEntries(Object.entries(details).map(([name, value]) => [name, Buffer.from(value)]))
            : {},
      },
    ]),
  );
  return { observed: { composite: { resource: xr(spec) }, resources } };
}

const READY = {
  conditions: [
    { type: 'Ready', status: 'True' },
    { type: 'Synced', status: 'True' },
  ],
};
const DETAILS = { username: 'orders_app', password: 'p', endpoint: 'db', port: '5432', database: 'orders', uri: 'u' };

describe('what is reported', () => {
  test('a resource is ready when the provider says so, and no sooner', () => {
    const response = call(
      {},
      observed({}, (key) => (key === 'database' ? {} : READY), DETAILS),
    );
    expect(response.desired?.resources['database']?.ready).toBe(Ready.READY_FALSE);
    expect(response.desired?.resources['role-owner']?.ready).toBe(Ready.READY_TRUE);
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({
      phase: 'Creating',
      waitingFor: ['Database orders-database (database)'],
      endpoint: 'db:5432',
      secretNames: ['orders-migrate', 'orders-app', 'orders-report'],
    });
  });

  test('what is ready by an older spec is not ready', () => {
    const shown = observed({}, () => ({ conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] })) as {
      observed: { resources: Record<string, { resource: { metadata: Json } }> };
    };
    const { resources } = shown.observed;
    for (const { resource } of Object.values(resources)) resource.metadata['generation'] = 1;
    const database = resources['database'];
    if (database !== undefined) database.resource.metadata['generation'] = 2;
    const { desired, conditions } = call({}, shown);
    expect(desired?.resources['database']?.ready).toBe(Ready.READY_FALSE);
    expect(desired?.resources['role-owner']?.ready).toBe(Ready.READY_TRUE);
    expect(conditions[1]?.message).toBe('waiting for Database orders-database (database)');
  });

  test('conditions name what fails and why', () => {
    const bad = {
      conditions: [{ type: 'Synced', status: 'False', reason: 'ReconcileError', message: 'no CREATEROLE' }],
    };
    const { conditions } = call(
      {},
      observed({}, (key) => (key.startsWith('role-login') ? bad : READY)),
    );
    expect(conditions.map(({ type, status }) => [type, status])).toEqual([
      ['Accepted', Status.STATUS_CONDITION_TRUE],
      ['DatabaseReady', Status.STATUS_CONDITION_TRUE],
      ['RolesReady', Status.STATUS_CONDITION_FALSE],
      ['GrantsReady', Status.STATUS_CONDITION_TRUE],
      ['BackupHealthy', Status.STATUS_CONDITION_UNKNOWN],
    ]);
    expect(conditions[2]?.message).toBe(
      'Role orders-role-login-migrate (role-login-migrate): no CREATEROLE (and 2 more)',
    );
  });

  test('the same request gives the same answer, byte for byte', () => {
    const answer = () =>
      RunFunctionResponse.encode(
        call(
          {},
          observed({}, () => READY, DETAILS),
        ),
      ).finish();
    expect(Buffer.from(answer())).toEqual(Buffer.from(answer()));
  });

  test('a v2 composite gets its Secret, and is not ready before', () => {
    const spec = { writeConnectionSecretToRef: { name: 'orders-db' } };
    const early = call(
      spec,
      observed(spec, () => READY),
    );
    expect(early.desired?.composite?.ready).toBe(Ready.READY_FALSE);
    expect(early.desired?.resources['connection-secret']).toBeUndefined();
    const late = call(
      spec,
      observed(spec, () => READY, DETAILS),
    );
    expect(late.desired?.composite?.ready).toBe(Ready.READY_UNSPECIFIED);
    expect(late.desired?.resources['connection-secret']?.resource).toMatchObject({
      kind: 'Secret',
      metadata: { name: 'orders-db', namespace: 'team-a' },
      data: { username: Buffer.from('orders_app').toString('base64') },
    });
  });

  test('the Secret of the application outlives a moment without the Secret of the role', () => {
    const spec = { writeConnectionSecretToRef: { name: 'orders-db' } };
    const data = { username: 'b3JkZXJzX2FwcA==' };
    const shown = observed(spec, () => READY) as { observed: { resources: Json } };
    shown.observed.resources['connection-secret'] = { resource: { kind: 'Secret', data } };
    expect(call(spec, shown).desired?.resources['connection-secret']?.resource).toMatchObject({ data });
  });

  test('the credentials of a claim outlive it too', () => {
    const spec = { claimRef: { name: 'orders', namespace: 'team-a' } };
    const connectionDetails = { username: Buffer.from('orders_app'), other: Buffer.from('x') };
    const shown = observed(spec, () => READY) as { observed: { composite: Json } };
    shown.observed.composite['connectionDetails'] = connectionDetails;
    const { desired } = call(spec, shown);
    expect(desired?.composite?.connectionDetails).toEqual({ username: connectionDetails.username });
    expect(desired?.composite?.ready).toBe(Ready.READY_UNSPECIFIED);
  });

  test('what somebody paused fails nothing', () => {
    const paused = {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Synced', status: 'False', reason: 'ReconcilePaused' },
      ],
    };
    const { desired } = call(
      {},
      observed({}, () => paused, DETAILS),
    );
    expect(desired?.composite?.resource?.['status']).toMatchObject({ phase: 'Ready' });
  });

  test('a claim gets its credentials from Crossplane', () => {
    const spec = { claimRef: { name: 'orders', namespace: 'team-a' }, connectionRole: 'app' };
    const response = call(
      spec,
      observed(spec, () => READY, { ...DETAILS, jdbcUrl: 'j' }),
    );
    expect(Object.keys(response.desired?.composite?.connectionDetails ?? {}).toSorted()).toEqual(
      Object.keys(DETAILS).toSorted(),
    );
    expect(response.desired?.resources['connection-secret']).toBeUndefined();
  });
});
