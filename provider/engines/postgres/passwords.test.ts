import { beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../common/secret.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { PasswordChecker } from './passwords.ts';
import { scramVerifier } from './scram.ts';

const superUser = { admin: { superUser: true } } as ServerInfo;
const password = new Secret('right');

describe('stored verifiers', () => {
  let statements = 0;
  let stored: string | undefined;
  let checker: PasswordChecker;
  beforeEach(async () => {
    statements = 0;
    stored = (await scramVerifier(password)).reveal();
    checker = new PasswordChecker({
      read: async (work) =>
        await work({
          database: 'postgres',
          query: async () => {
            statements += 1;
            return await Promise.resolve([{ rolname: 'app', rolpassword: stored ?? null }]);
          },
          execute: async () => await Promise.resolve(),
          restore: async () => await Promise.resolve(),
        }),
      login: async () => await Promise.reject(new Error('not needed')),
    });
  });

  test('that came with the role are not asked for again', async () => {
    checker.collect()('app', new Secret(stored ?? ''));
    expect(await checker.check('app', password, superUser)).toBe('match');
    expect(await checker.check('app', new Secret('wrong'), superUser)).toBe('mismatch');
    checker.collect()('app', undefined);
    expect(await checker.check('app', password, superUser)).toBe('mismatch');
    expect(statements).toBe(0);
  });

  test('that were read before a change of ours are not believed after it', async () => {
    const early = checker.collect();
    const old = new Secret(stored ?? '');
    stored = (await scramVerifier(new Secret('new'))).reveal();
    checker.forget([{ kind: 'setPassword', name: 'app', password: new Secret('new') }]);
    early('app', old);
    expect(await checker.check('app', new Secret('new'), superUser)).toBe('match');
    expect(statements).toBe(1);
    checker.collect()('app', new Secret(stored));
    expect(await checker.check('app', password, superUser)).toBe('mismatch');
    expect(statements).toBe(1);
  });

  test('that were sent for a password are not computed again, those that another has put there are', async () => {
    const step = { kind: 'setPassword' as const, name: 'app', password };
    // Had it been computed, it would be found wrong.
    const sent = await scramVerifier(new Secret('another'));
    checker.forget([step]);
    checker.believe([step], new Map([[step, sent]]), superUser);
    checker.collect()('app', sent);
    expect(await checker.check('app', password, superUser)).toBe('match');
    expect(await checker.check('app', new Secret('wrong'), superUser)).toBe('mismatch');
    checker.collect()('app', await scramVerifier(new Secret('of somebody else')));
    expect(await checker.check('app', password, superUser)).toBe('mismatch');
    expect(statements).toBe(0);
  });

  test('that a Secret holds itself match what the server stores', async () => {
    expect(await checker.check('app', new Secret(stored ?? ''), superUser)).toBe('match');
    const other = await scramVerifier(password);
    expect(await checker.check('app', other, superUser)).toBe('mismatch');
  });
});
