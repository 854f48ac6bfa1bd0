import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

describe.each(postgresMajors)('PostgreSQL %i, memberships', (major) => {
  const version = versionOf(major);
  let world: World;
  const story = (role: string, memberOf: string, more = {}) =>
    world.grant({ role: world.name(role), memberOf: world.name(memberOf), ...more });
  const rows = (role: string, memberOf: string) =>
    world.sql(
      `SELECT admin_option AS admin ${version >= 16 ? ', inherit_option AS inherit, set_option AS set' : ''}
       FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1) AND roleid = (SELECT oid FROM pg_roles WHERE rolname = $2)`,
      [world.name(role), world.name(memberOf)],
    );
  const options = (admin: boolean, inherit = true, set = true) => (version >= 16 ? { admin, inherit, set } : { admin });

  describe('made by a superuser', () => {
    beforeEach(async () => {
      world = await World.create(major);
      await world.roles('app', 'team', 'base');
    });
    afterEach(() => world.close());

    test('come, come back when revoked by hand, and go', async () => {
      const membership = story('app', 'team');
      expect(await membership.reconcile()).toEqual([`GRANT "team ${world.id}" TO "app ${world.id}"`]);
      await world.sql('REVOKE {team} FROM {app}');
      expect(await membership.reconcile()).toHaveLength(1);
      expect(await rows('app', 'team')).toEqual([options(false)]);
      await membership.delete();
      expect(await rows('app', 'team')).toEqual([]);
      expect(await membership.delete()).toEqual([]);
    });

    test('the ADMIN option comes and goes without the membership going', async () => {
      const membership = story('app', 'team', { withOption: true });
      await membership.reconcile();
      expect(await rows('app', 'team')).toEqual([options(true)]);
      await membership.edit({ withOption: false });
      expect(await rows('app', 'team')).toEqual([options(false)]);
    });

    test('an ADMIN option that somebody else gave stays', async () => {
      await world.sql('GRANT {team} TO {app} WITH ADMIN OPTION');
      expect(await story('app', 'team').reconcile()).toEqual([]);
      expect(await rows('app', 'team')).toEqual([options(true)]);
    });

    if (version >= 16) {
      test('INHERIT and SET are as asked for', async () => {
        const membership = story('app', 'team', { withInherit: false, withSet: true });
        await membership.reconcile();
        expect(await rows('app', 'team')).toEqual([options(false, false, true)]);
        await membership.edit({ withInherit: true, withSet: false });
        expect(await rows('app', 'team')).toEqual([options(false, true, false)]);
      });

      test('what another grantor gave is left, unless exclusive', async () => {
        await world.sql(`GRANT {team} TO {base} WITH ADMIN TRUE; SET ROLE {base}; GRANT {team} TO {app}; RESET ROLE`);
        const membership = story('app', 'team');
        expect(await membership.reconcile()).toEqual([]);
        expect(await membership.delete()).toEqual([]);
        membership.applied = undefined;
        await membership.edit({ exclusive: true });
        expect(
          await world.sql(`SELECT pg_get_userbyid(grantor) AS by FROM pg_auth_members WHERE member = $1::regrole`, [
            `"app ${world.id}"`,
          ]),
        ).toEqual([{ by: 'postgres' }]);
      });
    } else
      test('INHERIT and SET are refused, naming the version', async () => {
        await expect(story('app', 'team', { withSet: false }).plan()).rejects.toThrow('withSet: needs version 16');
      });

    test('a loop is refused by one side, naming the cycle (B97)', async () => {
      await story('app', 'team').reconcile();
      await story('team', 'base').reconcile();
      await expect(story('base', 'app').plan()).rejects.toMatchObject({ reason: 'MembershipCycle', code: '0LP01' });
      await expect(story('base', 'app').plan()).rejects.toThrow(
        `"app ${world.id}" in "team ${world.id}" in "base ${world.id}"`,
      );
      await expect(story('app', 'app').plan()).rejects.toMatchObject({ reason: 'MembershipCycle' });
    });

    test('a missing role is waited for, and gone is gone', async () => {
      await expect(story('app', 'ghost').plan()).rejects.toThrow(`role "ghost ${world.id}" does not exist`);
      const membership = story('app', 'ghost');
      membership.owned = true;
      expect(await membership.delete()).toEqual([]);
      await expect(world.grant({ role: 'PUBLIC', memberOf: world.name('team') }).plan()).rejects.toThrow('PUBLIC');
    });
  });

  describe('made by an administrator that is no superuser', () => {
    beforeEach(async () => {
      world = await World.create(major, 'cloud');
      await world.rolesByAdmin('app', 'team');
    });
    afterEach(() => world.close());

    test('work for the roles that it made', async () => {
      const membership = story('app', 'team');
      await membership.reconcile();
      expect(await rows('app', 'team')).toEqual([options(false)]);
      await membership.delete();
      expect(await rows('app', 'team')).toEqual([]);
    });

    test('in its own roles it becomes a real member, not only their administrator', async () => {
      const membership = story('admin', 'team');
      await membership.reconcile();
      expect(await world.sql(`SELECT pg_has_role($1, $2, 'USAGE') AS ok`, [world.admin, world.name('team')])).toEqual([
        { ok: true },
      ]);
      await membership.delete();
      expect(await rows('admin', 'team')).toEqual(version >= 16 ? [options(true, false, false)] : []);
    });

    if (version >= 16)
      test('a predefined role without the ADMIN option is named with the remedy (B38)', async () => {
        const membership = world.grant({ role: world.name('app'), memberOf: 'pg_write_all_data' });
        await expect(membership.plan()).rejects.toMatchObject({ reason: 'PermissionDenied', retryable: false });
        await expect(membership.plan()).rejects.toThrow(
          `"${world.admin}" has no ADMIN OPTION on it; GRANT "pg_write_all_data" TO "${world.admin}" WITH ADMIN OPTION`,
        );
      });

    test('a role whose members log in by token only is never given to the administrator (B87)', async () => {
      await world.sql(
        `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN CREATE ROLE rds_iam; END IF; END $$`,
      );
      await world.sql('GRANT rds_iam TO {team}');
      await expect(story('admin', 'team').plan()).rejects.toThrow('would end the password login');
      await world.sql('DROP ROLE rds_iam');
    });
  });
});
