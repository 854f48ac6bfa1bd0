/**
 * What servers say of themselves, by the documentation of versions that the tests cannot have (MySQL 8.4), and by what
 * those that they have did say (MySQL 9.7, MariaDB 10.11 and 11.8).
 */
import { expect, test } from 'vitest';
import { Secret } from '../../common/secret.ts';
import type { Step } from '../../resources/model/steps.ts';
import { compileStep } from './compile/steps.ts';
import type { Flavour } from './flavour.ts';
import { type MysqlInfo, readInfo } from './info.ts';
import type { Row } from './session.ts';
import type { Sql } from './sql.ts';

interface Said {
  version: string;
  comment?: string;
  variables?: Record<string, string>;
  /** As SHOW PRIVILEGES has them: static ones in mixed letters, dynamic ones in capitals. */
  privileges?: readonly string[];
  checks?: readonly string[];
}

const infoOf = async (flavour: Flavour, said: Said): Promise<MysqlInfo> =>
  await readInfo(
    {
      query: async ({ text }: Sql): Promise<Row[]> => {
        if (text.includes('VERSION()'))
          return await Promise.resolve([
            { version: said.version, comment: said.comment ?? '', account: 'xdb@%', lower_case_names: 0 },
          ]);
        if (text.startsWith('SHOW GLOBAL VARIABLES'))
          return Object.entries(said.variables ?? {}).map(([name, value]) => ({ Variable_name: name, Value: value }));
        if (text === 'SHOW PRIVILEGES') return (said.privileges ?? []).map((name) => ({ Privilege: name }));
        if (text.includes('PASSWORD VALIDATION')) return (said.checks ?? []).map((name) => ({ name }));
        return [];
      },
      execute: async () => await Promise.reject(new Error('nothing is written')),
    },
    flavour,
  );

/** The 8.2 series parted SET_USER_ID in two, and 8.4 removed it together with default_authentication_plugin. */
const MYSQL_8_4: Said = {
  version: '8.4.7',
  comment: 'MySQL Community Server - GPL',
  variables: { authentication_policy: '*,,', partial_revokes: 'OFF', server_uuid: 'u' },
  privileges: ['Alter', 'Create role', 'ALLOW_NONEXISTENT_DEFINER', 'FLUSH_PRIVILEGES', 'SET_ANY_DEFINER'],
};
const MYSQL_9_7: Said = { ...MYSQL_8_4, version: '9.7.4-2', comment: 'Debian' };

test.each<[string, Flavour, Said, object]>([
  [
    'MySQL 8.4',
    'mysql',
    MYSQL_8_4,
    {
      product: 'MySQL 8.4.7',
      versionNumber: 80_407,
      defaultPlugin: 'caching_sha2_password',
      dynamicPrivileges: ['ALLOW_NONEXISTENT_DEFINER', 'FLUSH_PRIVILEGES', 'SET_ANY_DEFINER'],
      systemIdentifier: 'u',
    },
  ],
  [
    'MySQL 8.4 with the old plugin turned on and asked for',
    'mysql',
    { ...MYSQL_8_4, variables: { authentication_policy: '*:mysql_native_password,,' } },
    { defaultPlugin: 'mysql_native_password' },
  ],
  [
    'MySQL 8.0, which still names its default plugin apart',
    'mysql',
    {
      version: '8.0.36-28',
      comment: 'Percona Server (GPL)',
      variables: { authentication_policy: '*,,', default_authentication_plugin: 'mysql_native_password' },
      privileges: ['SET_USER_ID'],
    },
    { product: 'MySQL 8.0.36', defaultPlugin: 'mysql_native_password', dynamicPrivileges: ['SET_USER_ID'] },
  ],
  ['MySQL 9.7', 'mysql', MYSQL_9_7, { product: 'MySQL 9.7.4', major: 9, defaultPlugin: 'caching_sha2_password' }],
  [
    'MySQL with partial revokes',
    'mysql',
    { ...MYSQL_8_4, variables: { partial_revokes: 'ON' } },
    { databaseWildcards: false },
  ],
  [
    'MariaDB',
    'mariadb',
    { version: '11.8.9-MariaDB-4 from Debian', variables: { strict_password_validation: 'ON' } },
    { product: 'MariaDB 11.8.9', checksPasswords: false, dynamicPrivileges: [] },
  ],
  [
    'MariaDB that pretends to be 5.5.5 for old replicas',
    'mariadb',
    { version: '5.5.5-10.11.18-MariaDB' },
    { product: 'MariaDB 10.11.18' },
  ],
  [
    'MariaDB with a plugin that looks at passwords',
    'mariadb',
    { version: '11.8.9-MariaDB', variables: { strict_password_validation: 'ON' }, checks: ['simple_password_check'] },
    { checksPasswords: true, accounts: expect.objectContaining({ dualPasswords: false }) as object },
  ],
])('%s is understood', async (_, flavour, said, wanted) => {
  expect(await infoOf(flavour, said)).toMatchObject({ engine: flavour, admin: { name: 'xdb' }, ...wanted });
});

test.each<[string, Flavour, Said, string]>([
  ['MySQL that is too old for attributes of accounts', 'mysql', { version: '8.0.20' }, 'VersionTooOld'],
  ['MySQL 5.7', 'mysql', { version: '5.7.44' }, 'VersionTooOld'],
  ['MariaDB 10.6', 'mariadb', { version: '10.6.20-MariaDB' }, 'VersionTooOld'],
  ['MariaDB instead of MySQL', 'mysql', { version: '11.8.9-MariaDB' }, 'WrongEngine'],
  ['MySQL instead of MariaDB', 'mariadb', MYSQL_8_4, 'WrongEngine'],
  ['something else', 'mysql', { version: 'unknown' }, 'WrongEngine'],
])('%s is refused', async (_, flavour, said, reason) => {
  await expect(infoOf(flavour, said)).rejects.toMatchObject({ reason });
});

const mark = { uid: 'uid', resource: 'team/app' };
const STEPS: readonly Step[] = [
  { kind: 'createDatabase', name: 'orders', mark },
  { kind: 'alterDatabase', name: 'orders', characterSet: 'utf8mb4', collation: 'utf8mb4_bin' },
  { kind: 'dropDatabase', name: 'orders' },
  { kind: 'createRole', name: 'app', attributes: { login: true }, password: new Secret('x'), mark },
  { kind: 'createRole', name: 'group', attributes: { login: false }, mark },
  {
    kind: 'alterRole',
    name: 'app',
    attributes: {},
    account: { require: { type: 'X509' }, locked: true, passwordLifetimeDays: 9, limits: { maxQueriesPerHour: 1 } },
  },
  { kind: 'setPassword', name: 'app', password: new Secret('y'), plugin: 'caching_sha2_password', retain: true },
  { kind: 'alterRole', name: 'app', attributes: {}, discardOldPassword: true },
  { kind: 'grant', on: { type: 'database', database: 'a_b' }, to: { name: 'app' }, privileges: ['SELECT'] },
  { kind: 'grant', on: { type: 'global' }, to: { name: 'app' }, privileges: ['SET_ANY_DEFINER', 'PROCESS'] },
  { kind: 'revoke', on: { type: 'global' }, from: { name: 'app' }, privileges: ['PROCESS'] },
  { kind: 'grantMembership', role: 'app', memberOf: 'group', defaultRoles: ['group'] },
  { kind: 'revokeMembership', role: 'app', memberOf: 'group' },
  { kind: 'dropRole', name: 'app' },
  { kind: 'mark', on: { type: 'role', name: 'app' }, mark },
];

test('what MySQL 8.4 is sent is what the tests send to 9.7', async () => {
  const [older, newer] = [await infoOf('mysql', MYSQL_8_4), await infoOf('mysql', MYSQL_9_7)];
  const sent = (info: MysqlInfo): string[] => STEPS.flatMap((step) => compileStep(step, info).map(({ text }) => text));
  expect(sent(older)).toEqual(sent(newer));
  expect(sent(older)).toHaveLength(19);
});

test('a privilege that another version has is refused before it is sent', async () => {
  const info = await infoOf('mysql', MYSQL_8_4);
  const grant: Step = { kind: 'grant', on: { type: 'global' }, to: { name: 'app' }, privileges: ['SET_USER_ID'] };
  expect(() => compileStep(grant, info)).toThrow('"SET_USER_ID" is not one of');
});
