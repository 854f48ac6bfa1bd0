/** What manifests of the predecessor could say without effect, and what it wrote in a short form. */
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { convert } from './convert.ts';
import { brief, plain } from './convert.fixture.ts';

describe('what had no meaning before', () => {
  const old = (kind: string, name: string, spec: object): KubeObject => ({
    apiVersion: 'db-operator.kubemaster.com/v1alpha1',
    kind,
    metadata: { name, namespace: 'a' },
    spec,
  });
  const server = old('DbServer', 's', {
    address: 'h',
    port: 5432,
    user_name: 'u',
    secret_name: 'x',
    server_type: 'Postgres',
  });
  const user = (spec: object) =>
    old('User', 'u', {
      user_name: 'u',
      secret_name: 'x',
      db_server_name: 's',
      server_privs: '',
      db_privs: [],
      ...spec,
    });

  test.each([
    [
      [
        user({
          db_privs: [
            { scope: 'd', privs: '/t:select', priv_type: 'database' },
            { scope: 'd.t', default_privs: 'SELECT' },
          ],
        }),
        server,
      ],
      'db_privs with scope "d.t"',
    ],
    [
      [user({ db_privs: [{ scope: 'd', privs: 'SELECT', priv_type: 'defaultTable' }] }), server],
      'need grantor_user_name',
    ],
    [[user({ server_privs: 'INVALIDPARAM,LOGIN,' }), server], 'server_privs INVALIDPARAM'],
    [[user({})], 'its DbServer "s" is not in the files'],
    [[old('BackupJob', 'b', { backup_target: 't' })], 'its BackupTarget "t" is not in the files'],
    [[old('DbServer', 's', { server_type: 'oracle' })], 'server_type "oracle"'],
  ])('%# is named', (objects, message) => {
    const { notes } = convert(objects, plain);
    expect(
      notes
        .filter(({ isLost }) => isLost)
        .map((note) => note.message)
        .join(),
    ).toContain(message);
  });

  test('columns, grant options and routines of MySQL have one', () => {
    const mysql = old('DbServer', 's', {
      address: 'h',
      port: 3306,
      user_name: 'u',
      secret_name: 'x',
      server_type: 'mysql',
    });
    const grants = brief(
      convert(
        [
          mysql,
          user({
            db_privs: [
              { scope: 'mydb.*', privs: 'INSERT,UPDATE,GRANT' },
              { scope: 'other.t', privs: 'SELECT(col1,col2),DELETE' },
              { scope: 'FUNCTION my_db.my_function', privs: 'EXECUTE' },
            ],
          }),
        ],
        plain,
      ),
    );
    expect(grants).toMatchObject({
      'Grant u-mydb': { database: 'mydb', privileges: ['INSERT', 'UPDATE'], withOption: true },
      'Grant u-other-t': { tables: ['t'], privileges: ['DELETE'] },
      'Grant u-other-t-col1-col2': { tables: ['t'], columns: ['col1', 'col2'], privileges: ['SELECT'] },
      'Grant u-my-db-my-function': { database: 'my_db', routines: [{ name: 'my_function' }] },
    });
  });

  test('tables named in the short form have one', () => {
    const grants = brief(
      convert([server, user({ db_privs: [{ scope: 'd', privs: 'a:select,insert,b:select' }] })], plain),
    );
    expect(grants).toMatchObject({
      'Grant u-d-public-a': { schema: 'public', tables: ['a'], privileges: ['SELECT', 'INSERT'] },
      'Grant u-d-public-b': { tables: ['b'], privileges: ['SELECT'] },
    });
  });
});
