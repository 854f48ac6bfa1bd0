/** Sessions, logins and what goes wrong on the way: restarts of transactions, lost answers, lost sessions. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { CockroachEngine } from '../../provider/engines/cockroachdb/engine.ts';
import type { ConnectionSettings } from '../../provider/engines/engine.ts';
import { openEngine } from '../../provider/engines/registry.ts';
import { createAuthority } from '../rig/certificates.ts';
import { Simulator, simulatedVersions } from '../rig/cockroachdb/simulator.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('The engine', (world) => {
  test('says what the server is, and that root may do everything', async () => {
    const info = await world().engine.info();
    expect(info).toMatchObject({ engine: 'cockroachdb', admin: { superUser: true } });
    expect(info.product).toMatch(/^CockroachDB \d+\.\d+\.\d+/);
    expect(info.systemIdentifier).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('is told apart from PostgreSQL (B40)', async () => {
    const engine = openEngine({ ...world().server.settings, engine: 'postgres' });
    await expect(engine.info()).rejects.toMatchObject({ reason: 'WrongEngine' });
    await engine.close();
  });

  test('asks for all of a batch at once', async () => {
    const names = Array.from({ length: 50 }, (_, i) => ({ name: `nobody-${i}` }));
    const before = simulatorOf(world())?.statements.length ?? 0;
    expect(await world().engine.read('role', names)).toHaveLength(50);
    const grants = names.map(({ name }) => ({
      grantee: { name },
      targets: [{ type: 'database' as const, database: 'defaultdb' }],
    }));
    expect((await world().engine.read('grant', grants)).every(({ granteeExists }) => !granteeExists)).toBe(true);
    const sent = (simulatorOf(world())?.statements.length ?? 0) - before;
    expect(sent).toBeLessThan(10);
  });

  test('never puts a password into the text of a statement', async () => {
    const role = world().role('hidden', {}, 'very-secret-1');
    await role.reconcile();
    role.password = 'very-secret-2';
    await role.reconcile();
    const info = await world().engine.info();
    const shown = world().engine.compile(
      [{ kind: 'setPassword', name: 'x', password: new Secret('very-secret-3') }],
      info,
    );
    expect(shown.map(({ text }) => text)).toEqual([`ALTER ROLE "x" WITH PASSWORD '***'`]);
    const statements = simulatorOf(world())?.statements ?? [];
    const passwords = statements.filter(({ text }) => /PASSWORD/.test(text));
    for (const { text, params } of passwords) {
      expect(text).toMatch(/PASSWORD \$1/);
      expect(params[0]).toMatch(/^SCRAM-SHA-256\$/);
    }
    expect(JSON.stringify(statements)).not.toContain('very-secret');
  });

  test('sends every change by itself, outside transactions', async () => {
    const statements = simulatorOf(world())?.statements ?? [];
    expect(statements.filter(({ text }) => /^(BEGIN|COMMIT)/i.test(text))).toEqual([]);
  });
});

describe.each(simulatedVersions)('What goes wrong on CockroachDB %s', (version) => {
  let simulator: Simulator;
  let engine: CockroachEngine;
  const settings = (): ConnectionSettings => ({
    engine: 'cockroachdb',
    host: simulator.host,
    port: simulator.port,
    username: 'root',
    password: new Secret(simulator.rootPassword),
    database: 'defaultdb',
    tls: { mode: 'disable' },
    connectionLimit: 2,
  });
  beforeAll(async () => {
    simulator = await Simulator.start({ version });
    engine = new CockroachEngine(settings());
  });
  afterAll(async () => {
    await engine.close();
    await simulator.stop();
  });

  test('a restarted transaction is sent again (40001)', async () => {
    simulator.faults.push({
      match: /^CREATE ROLE "again"/,
      do: { code: '40001', message: 'restart transaction: TransactionRetryWithProtoRefreshError' },
      times: 2,
    });
    await engine.run([{ kind: 'createRole', name: 'again', attributes: {} }]);
    expect(await engine.read('role', [{ name: 'again' }])).toMatchObject([{ name: 'again' }]);
    expect(simulator.statements.filter(({ text }) => text.startsWith('CREATE ROLE "again"'))).toHaveLength(3);
  });

  test('an unknown outcome is looked at again instead of being repeated (40003)', async () => {
    simulator.faults.push({
      match: /^CREATE ROLE "unsure"/,
      do: { code: '40003', message: 'statement_completion_unknown' },
      when: 'after',
    });
    await expect(engine.run([{ kind: 'createRole', name: 'unsure', attributes: {} }])).rejects.toMatchObject({
      reason: 'CompletionUnknown',
      code: '40003',
      retryable: true,
    });
    expect(await engine.read('role', [{ name: 'unsure' }])).toMatchObject([{ name: 'unsure' }]);
  });

  test('a read that met another transaction is asked again (40001)', async () => {
    simulator.faults.push({ match: /SHOW GRANTS/, do: { code: '40001', message: 'restart transaction' }, times: 2 });
    const target = { type: 'database' as const, database: 'defaultdb' };
    expect(await engine.read('grant', [{ grantee: { name: 'again' }, targets: [target] }])).toMatchObject([
      { granteeExists: true },
    ]);
  });

  test('a node that is drained is no absence, and no end of a plan (57P01)', async () => {
    simulator.faults.push({ match: /SHOW ROLES/, do: { code: '57P01', message: 'server is shutting down' } });
    expect(await engine.read('role', [{ name: 'again' }])).toMatchObject([{ name: 'again' }]);
    simulator.faults.push({ match: /^ALTER ROLE/, do: { code: '57P01', message: 'server is shutting down' } });
    const alter = { kind: 'alterRole' as const, name: 'again', attributes: { createDb: true } };
    await expect(engine.run([alter])).rejects.toMatchObject({ reason: 'ServerUnavailable', retryable: true });
    await engine.run([alter]);
    expect(await engine.read('role', [{ name: 'again' }])).toMatchObject([{ attributes: { createDb: true } }]);
  });

  test('a restart or an unknown outcome in the middle of a plan leaves what the next look goes on with', async () => {
    const steps = (name: string) =>
      ['CONNECT', 'CREATE'].map((privilege) => ({
        kind: 'grant' as const,
        on: { type: 'database' as const, database: 'defaultdb' },
        to: { name },
        privileges: [privilege],
      }));
    const held = async (name: string): Promise<string[]> => {
      const targets = [{ type: 'database' as const, database: 'defaultdb' }];
      const [found] = await engine.read('grant', [{ grantee: { name }, targets }]);
      return (found?.objects[0]?.privileges ?? []).map(({ privilege }) => privilege).toSorted();
    };
    for (const [code, when, after] of [
      ['40001', 'before', ['CONNECT', 'CREATE']],
      ['40003', 'after', ['CONNECT', 'CREATE']],
      ['40003', 'before', ['CONNECT']],
    ] as const) {
      const name = `middle-${code}-${when}`;
      await engine.run([{ kind: 'createRole', name, attributes: {} }]);
      simulator.faults.push({ match: /^GRANT CREATE/, do: { code, message: 'restart transaction' }, when });
      const run = engine.run(steps(name));
      if (code === '40001') await run;
      else await expect(run).rejects.toMatchObject({ reason: 'CompletionUnknown' });
      expect(await held(name)).toEqual(after);
      await engine.run(steps(name));
      expect(await held(name)).toEqual(['CONNECT', 'CREATE']);
    }
  });

  test('what only CockroachDB says is told with its own remedy', async () => {
    for (const [code, message, reason, remedy] of [
      ['XXC02', 'the maximum number of concurrently open transactions has been reached', 'LicenseRequired', 'licence'],
      ['53300', 'sorry, too many clients already', 'TooManyConnections', 'max_connections_per_gateway'],
      ['XXUUU', 'something of its own', 'ServerRefused', 'XXUUU'],
    ] as const) {
      simulator.faults.push({ match: /^CREATE ROLE "never"/, do: { code, message } });
      await expect(engine.run([{ kind: 'createRole', name: 'never', attributes: {} }])).rejects.toMatchObject({
        reason,
        code,
        retryable: true,
        message: expect.stringContaining(remedy) as unknown,
      });
    }
  });

  test('a lost session is no absence, and a read is asked again on another', async () => {
    simulator.faults.push({ match: /SHOW ROLES/, do: 'drop' });
    expect(await engine.read('role', [{ name: 'again' }])).toMatchObject([{ name: 'again' }]);
    simulator.faults.push({ match: /SHOW DATABASES/, do: { code: '42501', message: 'no' } });
    await expect(engine.read('database', [{ name: 'x' }])).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });

  test('a change whose answer is lost is an error, not a success', async () => {
    simulator.faults.push({ match: /^DROP ROLE/, do: 'drop', when: 'after' });
    await expect(engine.run([{ kind: 'dropRole', name: 'unsure' }])).rejects.toMatchObject({ reason: 'Unreachable' });
    expect(await engine.read('role', [{ name: 'unsure' }])).toEqual([undefined]);
  });

  test('a failure between two statements is made good by the next pass', async () => {
    simulator.faults.push({ match: /^COMMENT ON DATABASE/, do: { code: '42501', message: 'no' } });
    const mark = { uid: 'u', resource: 'ns/name' };
    await expect(engine.run([{ kind: 'createDatabase', name: 'half', mark }])).rejects.toMatchObject({ code: '42501' });
    expect(await engine.read('database', [{ name: 'half' }])).toMatchObject([{ name: 'half' }]);
    await engine.run([{ kind: 'mark', on: { type: 'database', name: 'half' }, mark }]);
    expect(await engine.read('database', [{ name: 'half' }])).toMatchObject([{ mark }]);
  });

  test('a failed GRANT in the name of another leaves the session as it was', async () => {
    await engine.run([{ kind: 'createRole', name: 'grantor', attributes: {} }]);
    const grant = {
      kind: 'grant' as const,
      on: { type: 'database' as const, database: 'half' },
      to: { name: 'again' },
      privileges: ['CONNECT'],
      grantor: 'grantor',
    };
    await expect(engine.run([grant])).rejects.toMatchObject({ reason: 'PermissionDenied' });
    await engine.run([{ kind: 'createRole', name: 'afterwards', attributes: {} }]);
    expect(simulator.statements.filter(({ text }) => text === 'RESET ROLE').length).toBeGreaterThan(0);
  });

  test('a full server, a wrong password and a wrong database are told apart', async () => {
    const told = async (change: Partial<ConnectionSettings>): Promise<unknown> => {
      const other = new CockroachEngine({ ...settings(), ...change });
      const answer = await other.info().catch((error: unknown) => error);
      await other.close();
      return answer;
    };
    expect(await told({ password: new Secret('wrong') })).toMatchObject({ reason: 'AuthenticationFailed' });
    expect(await told({ database: 'nowhere' })).toMatchObject({ reason: 'DoesNotExist', code: '3D000' });
    simulator.isFull = true;
    expect(await told({})).toMatchObject({ reason: 'TooManyConnections', code: '53300' });
    simulator.isFull = false;
  });
});

describe('A secure CockroachDB', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await Simulator.start({ version: '25.2', secure: true });
  });
  afterAll(async () => {
    await simulator.stop();
  });

  const attempt = async (tls: Partial<ConnectionSettings['tls']>, more: Partial<ConnectionSettings> = {}) => {
    const engine = new CockroachEngine({
      engine: 'cockroachdb',
      host: '127.0.0.1',
      port: simulator.port,
      username: 'root',
      database: 'defaultdb',
      tls: { mode: 'verify-full', ca: simulator.authority?.certificate ?? '', ...tls },
      connectionLimit: 2,
      ...more,
    });
    const answer: unknown = await engine.info().catch((error: unknown) => error);
    await engine.close();
    return answer;
  };
  const pair = (commonName: string, notAfter?: Date) => {
    const { certificate, key } = simulator.authority!.issue({
      commonName,
      usage: 'client',
      hosts: [],
      ...(notAfter === undefined ? {} : { notAfter }),
    });
    return { cert: certificate, key: new Secret(key) };
  };

  test('lets the administrator in by certificate, without a password', async () => {
    expect(await attempt(pair('root'))).toMatchObject({ admin: { name: 'root' } });
  });

  test('lets the administrator in by password too', async () => {
    expect(await attempt({}, { password: new Secret(simulator.rootPassword) })).toMatchObject({
      admin: { name: 'root' },
    });
  });

  test('refuses the certificate of another, one that has expired, and none at all', async () => {
    expect(await attempt(pair('somebody'))).toMatchObject({ reason: 'AuthenticationFailed' });
    expect(await attempt(pair('root', new Date(Date.now() - 60_000)))).toMatchObject({
      reason: 'AuthenticationFailed',
    });
    expect(await attempt({})).toMatchObject({ reason: 'AuthenticationFailed' });
  });

  test('is not trusted when another authority vouches for it, or when nobody does', async () => {
    expect(await attempt({ ca: createAuthority().certificate })).toMatchObject({ reason: 'CertificateUntrusted' });
    expect(await attempt({ cert: 'not a certificate', key: new Secret('no key') })).toMatchObject({
      reason: 'InvalidCertificate',
    });
  });

  test('tries the passwords of others without the administrator’s certificate', async () => {
    const engine = new CockroachEngine({
      engine: 'cockroachdb',
      host: '127.0.0.1',
      port: simulator.port,
      username: 'root',
      database: 'defaultdb',
      tls: { mode: 'verify-full', ca: simulator.authority?.certificate ?? '', ...pair('root') },
      connectionLimit: 2,
    });
    await engine.run([{ kind: 'createRole', name: 'app', attributes: { login: true }, password: new Secret('right') }]);
    expect(await engine.checkPassword('app', undefined, new Secret('right'))).toBe('match');
    expect(await engine.checkPassword('app', undefined, new Secret('wrong'))).toBe('mismatch');
    await engine.close();
  });

  test('takes no login in the clear', async () => {
    expect(await attempt({ mode: 'disable' }, { password: new Secret(simulator.rootPassword) })).toMatchObject({
      reason: 'Unreachable',
    });
  });
});
