/** Extensions on real servers: installed, at rest, set right after drift, and dropped. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { ManagedResource, ManagedServer } from './managed.ts';

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  const on = new ManagedServer(major);
  const database = `${on.prefix} db`;
  beforeAll(async () => {
    await on.server.query(`CREATE DATABASE "${database}"`);
    await on.server.query(`CREATE SCHEMA "Ext"`, [], database);
  });
  afterAll(async () => {
    await on.close();
  });

  test('an extension is at rest once it is installed, moves, updates and goes', async () => {
    const offered = await on.server.query<{ version: string }>(
      `SELECT version FROM pg_available_extension_versions WHERE name = 'hstore' ORDER BY string_to_array(version, '.')::int[]`,
    );
    const [older, newest] = [offered.at(-2)!.version, offered.at(-1)!.version];
    const spec = { database, extension: 'hstore' };
    const extension = new ManagedResource(on, 'Extension', 'hstore', { ...spec, version: older });
    expect(await extension.converge()).toEqual(['createExtension']);
    extension.edit({ ...spec, version: newest, schema: 'Ext' });
    expect(await extension.converge()).toEqual(['updateExtension', 'moveExtension']);
    await on.server.query('ALTER EXTENSION hstore SET SCHEMA public', [], database);
    expect(await extension.converge()).toEqual(['moveExtension']);
    extension.edit({ ...spec, version: '99' });
    await expect(extension.plan()).rejects.toThrow(newest);
    extension.edit(spec);
    expect(await extension.remove()).toMatchObject({ exists: false, steps: [] });
    expect(await on.engine.read('extension', [{ database, name: 'hstore' }])).toMatchObject([{ installed: false }]);
  });

  test('an extension of somebody else is adopted only when asked to, and stays when the resource goes', async () => {
    const extension = new ManagedResource(on, 'Extension', 'plpgsql', { database, extension: 'plpgsql' });
    await expect(extension.plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    extension.edit({ database, extension: 'plpgsql', adopt: true });
    expect(await extension.converge()).toEqual(['mark']);
    expect(await extension.remove()).toMatchObject({ notes: [{ reason: 'KeptExternalResource' }] });
  });
});
