/** A whole claim by an administrator of a managed cloud, who owns nothing of what it has made. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Managed } from '../../provider/api/kind.ts';
import { startLocalFunction } from '../../provider/cli/local-function.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { parseServerUrl } from '../../provider/local/server-url.ts';
import { LocalStore } from '../../provider/local/store.ts';
import { Workspace } from '../../provider/local/workspace.ts';
import { circumstances, Place } from './planned.ts';

/** Up to 14 the schema public is the first superuser's, whose rights no administrator has: that is said, and no more can be done. */
const able = circumstances.filter(([major, admin]) => admin === 'cloud' && major >= 15);

describe.each(able)('on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  let store: LocalStore;
  beforeAll(async () => {
    place = await Place.create(major, admin);
    store = new LocalStore();
  });
  afterAll(async () => {
    await place.close();
  });

  /** Each time as a new process would, which knows only what was remembered. */
  const inWorkspace = async <T>(work: (workspace: Workspace, resources: Managed[]) => Promise<T>): Promise<T> => {
    const database = place.name('shop').replace(' ', '_');
    const claim = {
      apiVersion: 'xdatabase.dev/v1alpha1',
      kind: 'XDatabase',
      metadata: { name: 'shop', namespace: 'team-a' },
      spec: {
        serverRef: { name: 'any' },
        databaseName: database,
        schemas: [{ name: 'app' }],
        extensions: [{ name: 'hstore' }],
        database: { initSQL: 'CREATE SCHEMA mine; CREATE TABLE mine.begun (id int)' },
        dropPolicy: 'Always',
        roles: [
          { name: 'migrate', access: 'owner' },
          { name: 'app', access: 'readWrite' },
          { name: 'report', access: 'readOnly' },
          {
            name: 'auditor',
            access: 'none',
            grants: [{ name: 'all', privileges: ['SELECT'], schema: 'app', tables: ['*'] }],
          },
        ],
      },
    };
    const workspace = new Workspace(
      parseServerUrl(
        `postgres://${encodeURIComponent(place.admin)}@${place.server.host}:${place.server.port}/postgres?sslmode=disable`,
        { XDB_PASSWORD: place.password },
      ),
      store,
    );
    const fn = await startLocalFunction();
    try {
      return await work(workspace, await workspace.load(parseManifests(stringify(claim), 'claim.yaml'), fn.address));
    } finally {
      await Promise.allSettled([workspace.close(), fn.stop()]);
    }
  };
  const apply = async (): Promise<void> => {
    await inWorkspace(async (workspace, resources) => {
      const results = await workspace.apply(resources);
      expect(results.filter(({ ready, synced }) => !(ready && synced)).map(({ message }) => message)).toEqual([]);
    });
  };
  const statements = async (): Promise<string[]> =>
    await inWorkspace(async (workspace, resources) => {
      const plans = await workspace.plan(resources);
      expect(plans.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))).toEqual([]);
      return plans.flatMap((plan) => plan.statements.map(({ text }) => text));
    });
  const database = (): string => place.name('shop').replace(' ', '_');

  test('is applied, is quiet, and comes back when somebody changes it, though nobody but its roles may connect', async () => {
    await apply();
    expect(await statements()).toEqual([]);
    await place.server.query(`REVOKE USAGE ON SCHEMA app FROM ${database()}_writers`, [], database());
    await place.server.query(`GRANT CONNECT ON DATABASE ${database()} TO PUBLIC`);
    expect((await statements()).length).toBeGreaterThanOrEqual(2);
    await apply();
    expect(await statements()).toEqual([]);
    const closed = await place.server.query(
      `SELECT FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1 AND a.grantee = 0`,
      [database()],
    );
    expect(closed).toEqual([]);
  });

  test('is deleted, and leaves nothing', async () => {
    await inWorkspace(async (workspace, resources) => {
      await workspace.delete(resources);
    });
    expect(await place.server.query('SELECT FROM pg_database WHERE datname = $1', [database()])).toEqual([]);
    expect(
      await place.server.query('SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [database()]),
    ).toEqual([]);
  });
});
