import { describe, expect, test } from 'vitest';
import { ours, plan, role, server } from './planning.fixture.ts';
import { existing, planner } from './role.fixture.ts';

describe('memberships', () => {
  const perGrantor = (asGrantor: string) => ({ missing: [], memberships: [], perGrantor: true, asGrantor });
  const join = { kind: 'grantMembership', role: 'app', memberOf: 'readers' };
  const leave = { kind: 'revokeMembership', role: 'app', memberOf: 'readers' };
  const spec = { memberOf: [{ role: 'readers' }] };

  test('are made once and recorded', async () => {
    const joining = await plan(planner, spec, existing());
    expect(joining.steps).toEqual([join]);
    expect(joining.applied).toEqual({ memberOf: ['readers'] });
    const joined = existing({ memberOf: [{ role: 'readers', grantor: 'admin' }] }, { applied: joining.applied });
    expect(await plan(planner, spec, joined)).toMatchObject({ steps: [], applied: { memberOf: ['readers'] } });
  });

  test('that others made are enough, and are not ours to revoke', async () => {
    const held = { memberOf: [{ role: 'readers', grantor: 'somebody' }] };
    const found = await plan(planner, spec, existing(held));
    expect(found).toMatchObject({ steps: [], applied: {} });
    expect((await plan(planner, {}, existing(held, { applied: found.applied }))).steps).toEqual([]);
  });

  test('of ours are revoked when they leave the spec, and only those', async () => {
    const applied = { memberOf: ['readers', 'gone'] };
    const left = (grantor: string) =>
      existing(
        {
          memberOf: [
            { role: 'readers', grantor },
            { role: 'others', grantor: 'admin' },
          ],
        },
        { applied, answers: { membership: () => perGrantor('admin') } },
      );
    expect((await plan(planner, {}, left('admin'))).steps).toEqual([leave]);
    expect((await plan(planner, {}, left('somebody'))).steps).toEqual([]);
  });

  test('get the options that are given, and keep the others', async () => {
    const held = existing(
      { memberOf: [{ role: 'readers', admin: false, inherit: true, set: true, grantor: 'admin' }] },
      { applied: { memberOf: ['readers'] }, answers: { membership: () => perGrantor('admin') } },
    );
    const options = { admin: true, inherit: true, set: false };
    expect((await plan(planner, { memberOf: [{ role: 'readers', ...options }] }, held)).steps).toEqual([
      { ...join, admin: true, set: false },
    ]);
  });

  test('whose option somebody else gave are not fought over', async () => {
    const held = existing(
      { memberOf: [{ role: 'readers', admin: true, inherit: true, set: true, grantor: 'somebody' }] },
      { answers: { membership: () => perGrantor('admin') } },
    );
    expect((await plan(planner, { memberOf: [{ role: 'readers', admin: false }] }, held)).steps).toEqual([]);
  });

  test('that only administer, as the maker of a role has them, are made usable', async () => {
    const held = existing(
      { memberOf: [{ role: 'readers', admin: true, inherit: false, set: false, grantor: 'postgres' }] },
      { answers: { membership: () => perGrantor('admin') } },
    );
    expect((await plan(planner, spec, held)).steps).toEqual([{ ...join, set: true }]);
  });

  test('options that a version has not are refused, naming it', async () => {
    const old = existing({}, { server: server(15) });
    await expect(plan(planner, { memberOf: [{ role: 'readers', set: false }] }, old)).rejects.toThrow(
      'inherit and set need PostgreSQL 16 or newer; the server is PostgreSQL 15.1',
    );
    expect((await plan(planner, { memberOf: [{ role: 'readers', admin: true }] }, old)).steps).toEqual([
      { ...join, admin: true },
    ]);
  });

  test.each([
    [
      'Waiting',
      { role: ({ name }: { name: string }) => (name === 'app' ? role('app', { mark: ours }) : undefined) },
      'role "readers" (forProvider.memberOf) does not exist yet',
    ],
    [
      'PermissionDenied',
      { membership: () => ({ missing: [], memberships: [], mayGrant: false }) },
      'the administrator "admin" has no ADMIN OPTION on it',
    ],
    [
      'MembershipCycle',
      { membership: () => ({ missing: [], memberships: [], cycle: ['readers', 'all', 'app'] }) },
      '"readers" in "all" in "app"',
    ],
  ] as const)(
    'that cannot be made (%s) are named, after everything else is applied (B38, B97)',
    async (reason, answers, message) => {
      const blocked = existing({}, { answers });
      await expect(plan(planner, spec, blocked)).rejects.toMatchObject({
        reason,
        message: expect.stringContaining(message),
      });
      expect((await plan(planner, { ...spec, connectionLimit: 4 }, blocked)).steps).toEqual([
        { kind: 'alterRole', name: 'app', attributes: {}, connectionLimit: 4 },
      ]);
    },
  );

  test('in a group that is not there yet do not keep the role from being made', async () => {
    const made = await plan(planner, spec, { externalName: 'app' });
    expect(made).toMatchObject({ exists: false, applied: {}, steps: [{ kind: 'createRole' }] });
  });

  test('in oneself are refused', async () => {
    await expect(plan(planner, { memberOf: [{ role: 'app' }] }, existing())).rejects.toMatchObject({
      reason: 'InvalidSpec',
    });
  });
});
