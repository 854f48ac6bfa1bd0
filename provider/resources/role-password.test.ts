import { describe, expect, test } from 'vitest';
import { type Circumstances, plan, server } from './planning.fixture.ts';
import { attributes, existing, password, planner } from './role.fixture.ts';

const noSuperuser = server(18, { admin: { name: 'admin', superUser: false, createRole: true, createDb: true } });

describe('the password', () => {
  const given = (answer: 'match' | 'mismatch' | 'unknown', more: Circumstances = {}): Circumstances => ({
    password,
    ...more,
    answers: { password: answer },
  });
  const set = [{ kind: 'setPassword', name: 'app', password: password.value }];

  test('is set when the one in the Secret does not log in, and only then (F29, B68)', async () => {
    expect((await plan(planner, {}, existing({}, given('mismatch')))).steps).toEqual(set);
    expect((await plan(planner, {}, existing({}, given('match')))).steps).toEqual([]);
    expect((await plan(planner, {}, existing({}, given('unknown')))).steps).toEqual([]);
    expect((await plan(planner, {}, existing({}, { answers: { password: 'mismatch' } }))).steps).toEqual([]);
  });

  test('is the last step, so that a failure before it leaves the published one in force (B66)', async () => {
    const steps = (await plan(planner, { privileges: { bypassRls: true } }, existing({}, given('mismatch')))).steps;
    expect(steps.map(({ kind }) => kind)).toEqual(['alterRole', 'setPassword']);
  });

  test('of a group is not set', async () => {
    const group = existing(attributes({ login: false }), given('mismatch'));
    expect((await plan(planner, { privileges: { login: false } }, group)).steps).toEqual([]);
  });

  test('is set with the right to log in, as nobody could try it before', async () => {
    const group = existing(attributes({ login: false }), given('unknown'));
    expect((await plan(planner, { privileges: { login: true } }, group)).steps).toEqual([
      { kind: 'alterRole', name: 'app', attributes: { login: true } },
      ...set,
    ]);
  });

  test('that has expired is not written again and again, and is set when it is valid again', async () => {
    const validUntil = '2020-01-01T00:00:00Z';
    const expired = (more: Circumstances = {}) => existing({ validUntil }, given('mismatch', more));
    expect((await plan(planner, { validUntil }, expired({ server: noSuperuser }))).steps).toEqual([]);
    expect((await plan(planner, { validUntil }, expired())).steps).toEqual(set);
    const later = { validUntil: '2030-01-01T00:00:00Z' };
    expect((await plan(planner, later, expired({ server: noSuperuser }))).steps).toEqual([
      { kind: 'alterRole', name: 'app', attributes: {}, ...later },
      ...set,
    ]);
  });
});
