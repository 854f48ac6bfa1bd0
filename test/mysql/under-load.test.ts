/** Changes while others use the server: nobody notices but who is meant. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authPlugins } from '../../provider/engines/mysql/auth-plugins.ts';
import { storedString } from '../../provider/engines/mysql/authentication.ts';
import { name, Place, servers, text } from './planned.ts';

/** One client that logs in and asks all the time, and another that keeps its session. */
class Hammer {
  readonly failures: string[] = [];
  logins = 0;
  queries = 0;
  #isOn = true;
  readonly #work: Promise<void>[];

  constructor(place: Place, user: string, password: () => string, query: string) {
    const login = async (): Promise<Connection> =>
      await createConnection({ ...place.server.options({ name: user, password: password() }), authPlugins });
    const once = async (): Promise<void> => {
      const connection = await login();
      this.logins += 1;
      try {
        await connection.query(query);
        this.queries += 1;
      } finally {
        connection.destroy();
      }
    };
    const loop = async (work: () => Promise<void>): Promise<void> => {
      while (this.#isOn)
        await work().catch((error: unknown) => {
          this.failures.push(String(error));
        });
    };
    let kept: Connection | undefined;
    const keeping = async (): Promise<void> => {
      kept ??= await login();
      await kept.query(query);
      this.queries += 1;
    };
    this.#work = [loop(once), loop(once), loop(keeping).finally(() => kept?.destroy())];
  }

  /** Long enough that each client has been at it several times. */
  async goOn(): Promise<void> {
    const { logins, queries } = this;
    const deadline = Date.now() + 20_000;
    while ((this.logins < logins + 6 || this.queries < queries + 20) && Date.now() < deadline) await delay(5);
    expect(this.logins).toBeGreaterThan(logins);
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#work);
  }
}

describe.each(servers)('while clients hammer %s', (server) => {
  let place: Place;
  let database: string;
  beforeAll(async () => {
    place = new Place(server);
    database = place.name('busy');
    await place.sql(`CREATE DATABASE ${name(database)}`);
    await place.sql(`CREATE TABLE ${name(database)}.t (a int)`);
    if (place.isMariadb) await place.sql("INSTALL SONAME 'auth_ed25519'").catch(() => {});
    if (server === 'MariaDB 11.8') await place.sql("INSTALL SONAME 'auth_parsec'").catch(() => {});
  });
  afterAll(async () => {
    await place.close();
  });

  const prepared = async (of: string) => {
    const story = place.role(place.name(of), {}, 'the first');
    story.changedAt = new Date();
    await story.reconcile();
    await place.sql(`GRANT SELECT ON ${name(database)}.* TO ${text(story.name)}@'%'`);
    return story;
  };
  const query = () => `SELECT COUNT(*) FROM ${name(database)}.t`;

  test('a change of conditions, limits and memberships fails no query and no login', async () => {
    const story = await prepared('changed');
    const group = place.role(place.name('load group'), { privileges: { login: false } });
    await group.reconcile();
    const hammer = new Hammer(place, story.name, () => 'the first', query());
    await hammer.goOn();
    for (const change of [
      { require: { type: 'NONE' }, resourceOptions: { maxUserConnections: 50 } },
      { memberOf: [{ role: group.name }] },
      { memberOf: [{ role: group.name, admin: true }] },
      { memberOf: [], passwordLifetimeDays: 90 },
    ]) {
      await story.edit(change);
      await hammer.goOn();
    }
    await hammer.stop();
    expect(hammer.failures).toEqual([]);
  });

  test('who knows the password before and after a change is always let in', async () => {
    const story = await prepared('rotated');
    // Until the change is made the old password is right, and from then on the new one.
    let current = 'the first';
    const hammer = new Hammer(place, story.name, () => current, query());
    await hammer.goOn();
    for (const next of ['the second', 'the third']) {
      story.password = next;
      story.changedAt = new Date();
      await story.change();
      // Both count: whoever has not heard of it yet goes on as before.
      await hammer.goOn();
      current = next;
      await hammer.goOn();
      expect(hammer.failures).toEqual([]);
    }
    await hammer.stop();
  });

  test('a change of the plugin, there and back, fails no query and no login', async () => {
    const story = await prepared('plugged');
    const pluginNow = async () =>
      (await place.sql<{ plugin: string }>(`SELECT plugin FROM mysql.user WHERE User = ${text(story.name)}`))[0]
        ?.plugin;
    const usual = place.isMariadb ? 'mysql_native_password' : 'caching_sha2_password';
    const others = place.isMariadb
      ? ['ed25519', ...(server === 'MariaDB 11.8' ? ['parsec'] : [])]
      : ['sha256_password'];
    const hammer = new Hammer(place, story.name, () => 'the first', query());
    await hammer.goOn();
    for (const plugin of [...others, usual, ...others, usual]) {
      expect(await story.edit({ authenticationPlugin: { name: plugin } })).toMatchObject([{ kind: 'setPassword' }]);
      expect(await pluginNow()).toBe(plugin);
      await hammer.goOn();
    }
    await hammer.stop();
    expect(hammer.failures).toEqual([]);
  });

  test('a stored string of the same password, given with its plugin, fails no query and no login', async () => {
    const story = await prepared('stored');
    const hammer = new Hammer(place, story.name, () => 'the first', query());
    await hammer.goOn();
    for (const plugin of place.isMariadb
      ? ['ed25519', 'mysql_native_password']
      : ['sha256_password', 'caching_sha2_password']) {
      const authString = (await storedString(plugin, 'the first')).toString('latin1');
      expect(await story.edit({ authenticationPlugin: { name: plugin, authString } })).toMatchObject([
        { kind: 'alterRole' },
      ]);
      await hammer.goOn();
    }
    await hammer.stop();
    expect(hammer.failures).toEqual([]);
  });
});
