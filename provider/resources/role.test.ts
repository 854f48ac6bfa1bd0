import { describe, expect, test } from 'vitest';
import { type Answers, ours, plan, planDelete, role, theirs } from './planning.fixture.ts';
import { attributes, existing, password, planner } from './role.fixture.ts';

describe('a role that is not there', () => {
  test('is made with everything, and logs in unless told otherwise', async () => {
    const spec = {
      privileges: { createDb: true },
      connectionLimit: 5,
      validUntil: '2030-01-01T00:00:00Z',
      configurationParameters: [{ name: 'search_path', value: 'app' }],
    };
    const made = await plan(planner, spec, { externalName: 'app', password });
    expect(made).toMatchObject({ exists: false });
    expect(made.steps).toEqual([
      {
        kind: 'createRole',
        name: 'app',
        attributes: { login: true, createDb: true },
        connectionLimit: 5,
        validUntil: '2030-01-01T00:00:00Z',
        password: password.value,
        mark: ours,
      },
      { kind: 'setRoleSetting', name: 'app', setting: 'search_path', value: 'app' },
    ]);
    expect(made.applied).toEqual({
      attributes: ['createDb'],
      connectionLimit: true,
      validUntil: true,
      settings: ['search_path'],
    });
  });

  test.each([
    [
      { passwordRotation: { every: '0s' } },
      'forProvider.passwordRotation.every: 0s is out of range; allowed: 1m or more',
    ],
    [
      {
        configurationParameters: [
          { name: 'a.b', value: '1' },
          { name: 'A.b', value: '2' },
        ],
      },
      'forProvider.configurationParameters: "a.b" and "A.b" are one setting; give it once',
    ],
  ])('is refused where it would never come to rest: %j', async (spec, message) => {
    const refusal = { reason: 'InvalidSpec', retryable: false, message };
    await expect(plan(planner, spec, { externalName: 'app', password })).rejects.toMatchObject(refusal);
    await expect(plan(planner, spec, existing({}, { password }))).rejects.toMatchObject(refusal);
  });

  test.each(['2030-02-31T00:00:00Z', '2030-12-31T23:59:60Z', '0000-01-01T00:00:00Z', '2030-13-01T00:00:00Z'])(
    'is valid until a time that there is: %s is refused',
    async (validUntil) => {
      const refusal = { reason: 'InvalidSpec', message: `forProvider.validUntil: "${validUntil}" is in no calendar` };
      await expect(plan(planner, { validUntil }, { externalName: 'app', password })).rejects.toMatchObject(refusal);
      await expect(plan(planner, { validUntil }, existing({}, { password }))).rejects.toMatchObject(refusal);
    },
  );

  test('and is a group has no password', async () => {
    const made = await plan(planner, { privileges: { login: false } }, { externalName: 'readers', password });
    expect(made.steps).toEqual([{ kind: 'createRole', name: 'readers', attributes: { login: false }, mark: ours }]);
  });

  test('takes from initProvider what forProvider does not say, and does not manage it afterwards', async () => {
    const init = { privileges: { createDb: true }, connectionLimit: 3, memberOf: [{ role: 'readers' }] };
    const answers: Answers = { role: ({ name }) => (name === 'readers' ? role(name) : undefined) };
    const made = await plan(planner, { privileges: { login: true } }, { externalName: 'app', answers }, init);
    expect(made.steps).toMatchObject([
      { kind: 'createRole', attributes: { login: true, createDb: true }, connectionLimit: 3 },
      { kind: 'grantMembership', memberOf: 'readers' },
    ]);
    expect(made.applied).toEqual({ attributes: ['login'] });
  });
});

describe('a role that is there', () => {
  test('and has more than was asked for is left alone: what is not given is not managed (F59, B64)', async () => {
    const rich = existing({
      ...attributes({ superUser: true, bypassRls: true }),
      connectionLimit: 3,
      validUntil: '2030-01-01T00:00:00Z',
      settings: [{ name: 'work_mem', value: '1MB' }],
      memberOf: [{ role: 'others' }],
    });
    const steady = await plan(planner, { privileges: { login: true } }, rich);
    expect(steady).toMatchObject({ exists: true, steps: [], atProvider: { memberOf: ['others'] } });
    expect(steady.atProvider['attributes']).toEqual(['superUser', 'login', 'inherit', 'bypassRls']);
  });

  test('gets only the attributes and limits that differ (B61, B62)', async () => {
    const spec = { privileges: { login: true, superUser: false, createDb: true }, connectionLimit: -1 };
    expect((await plan(planner, spec, existing(attributes({ superUser: true })))).steps).toEqual([
      { kind: 'alterRole', name: 'app', attributes: { superUser: false, createDb: true } },
    ]);
    expect((await plan(planner, spec, existing(attributes({ createDb: true })))).steps).toEqual([]);
  });

  test('gets back what the server gives by itself when something leaves the spec (F23)', async () => {
    const applied = { attributes: ['superUser', 'inherit', 'login'], connectionLimit: true, validUntil: true };
    const set = existing(
      {
        ...attributes({ superUser: true, inherit: false, login: false }),
        connectionLimit: 3,
        validUntil: '2030-01-01T00:00:00Z',
      },
      { applied },
    );
    const after = await plan(planner, {}, set);
    expect(after.steps).toEqual([
      {
        kind: 'alterRole',
        name: 'app',
        attributes: { superUser: false, inherit: true, login: true },
        connectionLimit: -1,
        validUntil: 'infinity',
      },
    ]);
    expect(after.applied).toEqual({});
    expect((await plan(planner, {}, existing({ validUntil: 'infinity' }, { applied }))).steps).toEqual([]);
  });

  test.each([
    ['2030-01-01T00:00:00Z', '2030-01-01T00:00:00Z'],
    ['2030-01-01T02:00:00+02:00', '2030-01-01T00:00:00Z'],
    ['2030-01-01T00:00:00.700Z', '2030-01-01T00:00:00Z'],
    ['infinity', 'infinity'],
    ['infinity', undefined],
  ])('is valid until %s when the server says %s', async (validUntil, observed) => {
    const observation = observed === undefined ? {} : { validUntil: observed };
    expect((await plan(planner, { validUntil }, existing(observation))).steps).toEqual([]);
  });

  test.each([
    ['2030-01-01T00:00:01Z', '2030-01-01T00:00:00Z'],
    ['2030-01-01T00:00:00Z', undefined],
    ['infinity', '2030-01-01T00:00:00Z'],
  ])('is not valid until %s when the server says %s', async (validUntil, observed) => {
    const observation = observed === undefined ? {} : { validUntil: observed };
    expect((await plan(planner, { validUntil }, existing(observation))).steps).toMatchObject([{ validUntil }]);
  });

  test('has exactly the settings that are listed, and loses ours when the list goes (B65)', async () => {
    const settings = [
      { name: 'search_path', value: '"$user", public' },
      { name: 'app.opts', value: 'a=b' },
      { name: 'work_mem', value: '1MB' },
    ];
    const wanted = [
      { name: 'search_path', value: '"$user",public' },
      { name: 'app.opts', value: 'a=b, c' },
    ];
    const given = await plan(planner, { configurationParameters: wanted }, existing({ settings }));
    expect(given.steps).toEqual([
      { kind: 'setRoleSetting', name: 'app', setting: 'app.opts', value: 'a=b, c' },
      { kind: 'setRoleSetting', name: 'app', setting: 'work_mem', value: null },
    ]);
    const without = await plan(planner, {}, existing({ settings }, { applied: { settings: ['app.opts'] } }));
    expect(without.steps).toEqual([{ kind: 'setRoleSetting', name: 'app', setting: 'app.opts', value: null }]);
    expect((await plan(planner, { configurationParameters: [] }, existing({ settings }))).steps).toHaveLength(3);
  });

  test('and was made by nobody of ours is refused, or adopted with a password of ours (B67, B114, F62)', async () => {
    const foreign = { externalName: 'app', password, answers: { role: () => role('app', { mark: theirs }) } };
    await expect(plan(planner, {}, foreign)).rejects.toMatchObject({ reason: 'AlreadyExists' });
    const mismatch = { ...foreign, answers: { ...foreign.answers, password: 'mismatch' as const } };
    expect(await plan(planner, { adopt: true }, mismatch)).toMatchObject({
      applied: { adopted: true },
      steps: [
        { kind: 'mark', on: { type: 'role', name: 'app' } },
        { kind: 'setPassword', name: 'app' },
      ],
    });
  });

  test.each([7, null, { attributes: 'superUser', settings: {}, memberOf: 3 }, { attributes: ['constructor', 7] }])(
    'loses nothing by a record that somebody broke: %j',
    async (applied) => {
      const rich = existing({ ...attributes({ superUser: true }), connectionLimit: 3 }, { applied });
      expect((await plan(planner, {}, rich)).steps).toEqual([]);
    },
  );
});

test('fields of other servers, and names of the server itself, are refused', async () => {
  await expect(plan(planner, { host: '%' }, { externalName: 'app' })).rejects.toThrow(
    'forProvider.host means nothing to postgres',
  );
  for (const externalName of ['postgres', 'pg_monitor', 'admin'])
    await expect(plan(planner, {}, { externalName })).rejects.toMatchObject({ reason: 'ReservedName' });
});

describe('deletion', () => {
  test('of what is gone or not ours sends nothing and is done (B98)', async () => {
    expect(await planDelete(planner, {}, { externalName: 'app' })).toMatchObject({ exists: false, steps: [] });
    expect(await planDelete(planner, {}, existing({ mark: theirs }))).toMatchObject({ exists: false, steps: [] });
  });

  test('keeps an adopted role, and takes back the memberships that we gave it', async () => {
    const memberOf = [{ role: 'readers', grantor: 'admin' }];
    const applied = { adopted: true, memberOf: ['readers'] };
    expect((await planDelete(planner, {}, existing({ memberOf }, { owned: true, applied }))).steps).toEqual([
      { kind: 'revokeMembership', role: 'app', memberOf: 'readers' },
    ]);
    expect(await planDelete(planner, {}, existing({}, { owned: true, applied }))).toMatchObject({
      exists: false,
      notes: [{ reason: 'KeptExternalResource', message: 'role "app" kept: it was there before this resource' }],
    });
  });
});
