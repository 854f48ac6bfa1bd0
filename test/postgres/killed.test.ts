/**
 * A provider that is killed at any message to the server leaves nothing that stays: the next look makes whole what was
 * begun. All that takes more than one transaction is tried at each of its boundaries.
 */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { close } from '../../provider/engines/postgres/jobs/door.ts';
import { join } from '../../provider/engines/postgres/sql.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { waitFor } from '../rig/process.ts';
import { postgresMajors } from '../rig/servers.ts';
import { killAt } from './cutting-proxy.ts';
import { circumstances, Place, type Story } from './planned.ts';

/** Each test is some forty lives of one object. */
vi.setConfig({ testTimeout: 300_000 });

describe.each(circumstances)('killed at any moment on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  const owner = (): string => place.name('owner');
  beforeAll(async () => {
    place = await Place.create(major, admin);
    await place.role(owner(), { privileges: { login: false } }).reconcile();
    await place.role(place.name('app'), {}, 'app-password').reconcile();
  });
  afterAll(async () => {
    await place.close();
  });

  /** What must not be there for good: memberships that let the administrator act for a role, and logins of runs. */
  const leftovers = async (): Promise<unknown[]> => [
    ...(place.isCloud
      ? await place.server.query(
          `SELECT g.rolname AS joined FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
           WHERE r.rolname = $1 ${place.server.major >= 16 ? 'AND (m.inherit_option OR m.set_option)' : ''}`,
          [place.admin],
        )
      : []),
    ...(await place.server.query(
      `SELECT l.rolname AS login FROM pg_roles l JOIN pg_auth_members m ON m.member = l.oid JOIN pg_roles g ON g.oid = m.roleid
       WHERE starts_with(l.rolname, 'xdatabase_run_') AND g.rolname = $1`,
      [owner()],
    )),
  ];

  /** What the server was told it carries on with, and may end the sessions of whoever comes next. */
  const ended = async (): Promise<unknown> =>
    await waitFor('the sessions are gone', async () => {
      const running =
        "SELECT FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND strpos(query, $1) > 0";
      return (await place.server.query(running, [place.name('').trim()])).length === 0;
    });

  /** Runs the steps by way of a server that is gone at the n-th message; says whether it came to that. */
  const killed = async (steps: readonly Step[], n: number, when: 'before' | 'after'): Promise<boolean> => {
    const proxy = await killAt(place.server, n, when);
    const engine = place.openAt(proxy.port);
    const failure: unknown = await engine.run(steps).then(
      () => undefined,
      (error: unknown) => error,
    );
    await engine.close();
    await proxy.close();
    // What puts the session back at the end may be cut off without anybody missing it.
    if (!proxy.isCut) expect(failure).toBeUndefined();
    await ended();
    return proxy.isCut;
  };

  /** At each message, until there are no more. */
  const atEach = async (
    one: (n: number, when: 'before' | 'after') => Promise<boolean>,
    least: number,
  ): Promise<void> => {
    for (const when of ['before', 'after'] as const) {
      let n = 0;
      while (await one(n, when)) n += 1;
      expect(n).toBeGreaterThanOrEqual(least);
    }
  };

  const facts = async (name: string): Promise<unknown> =>
    (
      await place.server.query(
        `SELECT pg_get_userbyid(datdba) AS owner, datallowconn AS open, datconnlimit AS limit,
          shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
        [name],
      )
    )[0];
  const commentOf = ({ uid }: Story): string => `managed by xdatabase: tests/${uid} (${uid})`;
  /** As the annotations say it after a kill: `create-pending` is there, and nothing after it. */
  const begun = { owned: true, creating: true };
  const remove = async (story: Story): Promise<void> => {
    story.creating = false;
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await facts(story.name)).toBeUndefined();
  };

  test.each([['an owner'], ['no owner']])('a database of %s is made, with its mark', async (whose) => {
    const spec = { ...(whose === 'an owner' ? { owner: owner() } : {}), connectionLimit: 7 };
    await atEach(async (n, when) => {
      const story = place.database(place.name(`made ${whose} ${n} ${when}`), spec);
      const { steps, applied } = await story.plan();
      const isCut = await killed(steps, n, when);
      Object.assign(story, begun, { applied });
      await story.reconcile();
      expect(await facts(story.name)).toEqual({
        owner: whose === 'an owner' ? owner() : place.admin,
        open: true,
        limit: 7,
        comment: commentOf(story),
      });
      expect(await leftovers()).toEqual([]);
      await remove(story);
      return isCut;
    }, 5);
  });

  test('an initSQL has an outcome, and its login is gone', async () => {
    await atEach(async (n, when) => {
      const name = place.name(`script ${n} ${when}`);
      const story = place.database(name, { owner: owner() });
      await story.reconcile();
      Object.assign(story, { owned: true, creating: false });
      const mark = { uid: story.uid, resource: `tests/${story.uid}` };
      // As a creation leaves it before the script.
      await place.engine.run([
        {
          kind: 'mark',
          on: { type: 'database', name },
          mark: { ...mark, resource: `${mark.resource}#initSQL-pending` },
        },
      ]);
      story.spec = { ...story.spec, initSQL: 'CREATE SCHEMA app; CREATE TABLE app.made (id int)' };
      story.applied = { initSQL: true };
      const isCut = await killed((await story.plan()).steps, n, when);
      await story.change();
      const plan = await story.plan();
      expect(plan.steps).toEqual([]);
      expect(plan.atProvider).toMatchObject({ initSQL: expect.stringMatching(/Succeeded|Failed/) as string });
      if (!isCut) expect(plan.atProvider).toMatchObject({ initSQL: 'Succeeded' });
      expect(await leftovers()).toEqual([]);
      story.spec = { owner: owner(), dropPolicy: 'Always' };
      await remove(story);
      return isCut;
    }, 14);
  });

  test('a database whose logins are connected is dropped', async () => {
    await atEach(async (n, when) => {
      const name = place.name(`dropped ${n} ${when}`);
      const story = place.database(name, { owner: owner() });
      await story.reconcile();
      const { host, port } = place.server;
      const session = new Client({ host, port, user: place.name('app'), password: 'app-password', database: name });
      session.on('error', () => {});
      await session.connect();
      const isCut = await killed((await story.planDelete()).steps, n, when);
      await story.delete();
      await session.end().catch(() => {});
      expect(await facts(name)).toBeUndefined();
      expect(await leftovers()).toEqual([]);
      return isCut;
    }, 5);
  });

  test('a role that owns things in two databases is emptied and dropped', async () => {
    const [one, two] = [place.name('one'), place.name('two')];
    for (const name of [one, two]) await place.database(name, { owner: owner() }).reconcile();
    await atEach(async (n, when) => {
      const role = place.role(place.name(`leaver ${n} ${when}`), {
        privileges: { login: false },
        onDelete: { reassignOwnedTo: owner(), revokeGrants: true },
      });
      await role.reconcile();
      for (const database of [one, two])
        await place.server.query(`CREATE SCHEMA "${role.name}" AUTHORIZATION "${role.name}"`, [], database);
      const isCut = await killed((await role.planDelete()).steps, n, when);
      await role.delete();
      expect(await place.server.query('SELECT FROM pg_roles WHERE rolname = $1', [role.name])).toEqual([]);
      expect(await leftovers()).toEqual([]);
      return isCut;
    }, 6);
  });

  test('a database that a run made beside another is dropped', async () => {
    const like = place.name('like');
    await place.database(like, { owner: owner() }).reconcile();
    const run = place.name('run').replaceAll(' ', '_');
    for (const when of ['before', 'after'] as const)
      for (let n = 0; ; n += 1) {
        const login = {
          name: `xdatabase_run_${run}`,
          password: place.role('x', {}, 'pw').secret,
          validUntil: new Date(Date.now() + 3_600_000),
        };
        const beside = { name: `xdatabase_beside_${run}`, like, run, mayBeAdministrators: true };
        const proxy = await killAt(place.server, n, when);
        const engine = place.openAt(proxy.port);
        await place.engine.jobs.makeBeside(login, beside);
        await place.sql(`ALTER DATABASE "${beside.name}" OWNER TO {owner}`);
        await engine.jobs.dropBeside(beside).catch(() => {});
        await engine.close();
        await proxy.close();
        await ended();
        await place.engine.jobs.dropBeside(beside);
        await place.engine.jobs.dropLogin(login.name);
        expect(await facts(beside.name)).toBeUndefined();
        expect(await leftovers()).toEqual([]);
        if (!proxy.isCut) break;
      }
  });

  // One circumstance stands for all: the one in which most is sent.
  if (admin === 'cloud' && major === Math.max(...postgresMajors))
    test('a target is wholly the old or the new one, and open, whether its run is carried on or given up', async () => {
      const [target, run] = [place.name('target'), place.name('over').replaceAll(' ', '_')];
      /** Before a message it is as after the one before. */
      const life = async (n: number): Promise<boolean> => {
        await place.database(target, { owner: owner(), connectionLimit: 7 }).reconcile();
        await place.sql('SET ROLE {owner}; CREATE TABLE old (id int)', target);
        const before = await facts(target);
        const login = {
          name: `xdatabase_run_${run}`,
          password: new Secret('run-password'),
          validUntil: new Date(Date.now() + 3_600_000),
        };
        const beside = { name: `xdatabase_beside_${run}`, like: target, run, mayBeAdministrators: false };
        const replaced = `xdatabase_replaced_${run}`;
        const { jobs } = place.engine;
        await jobs.makeBeside(login, beside);
        await place.as(login.name, 'run-password', 'CREATE TABLE fresh (id int)', beside.name);
        const order = { target, beside, replaced, login: login.name, requireEmpty: false, endSessions: true };
        // As a provider leaves it that was killed while the target was closed.
        if (n % 2 === 0) await place.sql(`BEGIN; ${join(close(target, login.name), '; ').text}; COMMIT`);
        const proxy = await killAt(place.server, n, 'after');
        const engine = place.openAt(proxy.port);
        const answer = await engine.jobs.handOver(order).catch(() => 'killed');
        await engine.close();
        await proxy.close();
        await ended();
        if (!proxy.isCut) expect(answer).toBe(0);
        const isGivenUp = n % 4 < 2;
        if (isGivenUp) await jobs.settle(order);
        else expect(await jobs.handOver(order)).toBe(0);
        for (const name of [beside.name, replaced]) await jobs.dropBeside({ name, run });
        await jobs.dropLogin(login.name);
        const tables = await place.sql<{ name: string }>(
          "SELECT relname AS name FROM pg_class WHERE relname IN ('old', 'fresh')",
          target,
        );
        expect(tables).toEqual([{ name: isGivenUp && tables[0]?.name === 'old' ? 'old' : 'fresh' }]);
        expect(await facts(target)).toEqual(before);
        expect(before).toMatchObject({ open: true, limit: 7 });
        for (const name of [beside.name, replaced]) expect(await facts(name)).toBeUndefined();
        expect(await leftovers()).toEqual([]);
        await place.sql('DROP DATABASE {target} WITH (FORCE)');
        return proxy.isCut;
      };
      let n = 0;
      while (await life(n)) n += 1;
      expect(n).toBeGreaterThan(10);
    });
});
