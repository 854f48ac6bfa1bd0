import { expect, test } from 'vitest';
import { ResourceError } from '../common/errors.ts';
import { ServerSessions } from './server-sessions.ts';
import type { PooledSession } from './session-pool.ts';

class FakeSession implements PooledSession {
  readonly database: string;
  isSound = true;
  #end: () => void = () => undefined;

  constructor(database: string) {
    this.database = database;
  }

  onEnd(listener: () => void): void {
    this.#end = listener;
  }

  async destroy(): Promise<void> {
    await this.end();
  }

  async end(): Promise<void> {
    this.isSound = false;
    this.#end();
    await Promise.resolve();
  }
}

const LOST = new Error('connection lost');
const LIMIT = 3;

function make() {
  const counts = { logins: 0, infos: 0 };
  const sessions = new ServerSessions<FakeSession, number>({
    limit: LIMIT,
    open: async (database) => {
      counts.logins += 1;
      return await Promise.resolve(new FakeSession(database));
    },
    home: 'home',
    readInfo: async () => await Promise.resolve((counts.infos += 1)),
    isLost: (error) => error === LOST,
    explain: (error, tried) =>
      error instanceof ResourceError ? error : new ResourceError('Failed', `${tried}: ${String(error)}`),
  });
  const lost = async (session: FakeSession): Promise<never> => {
    await session.end();
    throw LOST;
  };
  return { sessions, counts, lost };
}

test('a read that meets dead sessions is answered by a living one', async () => {
  const { sessions, counts, lost } = make();
  let deaths = LIMIT;
  const answer = await sessions.read('a', async (session) => {
    if (deaths-- > 0) await lost(session);
    return session.database;
  });
  expect(answer).toBe('a');
  expect(counts.logins).toBe(LIMIT + 1);
});

test('a read that always loses its session ends, with an error that says what was tried', async () => {
  const { sessions, counts, lost } = make();
  await expect(sessions.read('a', lost, 'look')).rejects.toThrow('look: Error: connection lost');
  expect(counts.logins).toBe(LIMIT + 2);
});

test('a change that lost its session is never repeated', async () => {
  const { sessions, counts, lost } = make();
  await expect(sessions.once('a', lost, 'GRANT')).rejects.toThrow('GRANT: Error: connection lost');
  expect(counts.logins).toBe(1);
});

test('a read that was given up throws why, and is not asked again', async () => {
  const { sessions, counts, lost } = make();
  const giveUp = new AbortController();
  const reading = sessions.read(
    'a',
    async (session) => {
      giveUp.abort(new Error('too late'));
      await lost(session);
    },
    'read',
    giveUp.signal,
  );
  await expect(reading).rejects.toThrow('too late');
  expect(counts.logins).toBe(1);
});

test('what the server is is asked once, and again when a right was missing or a session was lost', async () => {
  const { sessions } = make();
  expect(await Promise.all([sessions.info(), sessions.info()])).toEqual([1, 1]);
  expect(await sessions.info()).toBe(1);
  const refused = new ResourceError('PermissionDenied', 'no');
  await expect(sessions.once('a', async () => await Promise.reject(refused), 'GRANT')).rejects.toBe(refused);
  expect(await sessions.info()).toBe(2);
  await sessions.pool.use('home', async (session) => {
    setImmediate(() => void session.end());
    await Promise.resolve();
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(await sessions.info()).toBe(3);
});
