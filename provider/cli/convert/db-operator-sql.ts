/** Db, Schema and User of obeleh/db-operator. */
import type { KubeObject } from '../../api/kind.ts';
import { type Conversion, fieldsOf, given, KEPT, specOf, textOf } from './conversion.ts';
import {
  listed,
  type OldGrant,
  onMysql,
  onPostgres,
  PrivilegeError,
  roleAttributes,
} from './db-operator-privileges.ts';
import { DB_OPERATOR, type OldServer, serverOf } from './db-operator-servers.ts';

function required(conversion: Conversion, object: KubeObject, name: unknown): OldServer | undefined {
  const server = serverOf(conversion, conversion.namespaceOf(object), textOf(name));
  if (server === undefined)
    conversion.lost(object, `its DbServer ${JSON.stringify(name)} is not in the files: give them together`);
  return server;
}

/** Whose SQL everybody copied: it takes the schema public from everybody. It never did on PostgreSQL. */
const REVOKE_PUBLIC = /^\s*REVOKE\s+ALL\s+ON\s+SCHEMA\s+(?:"[^"]*"\.|[\w-]+\.)?public\s+FROM\s+PUBLIC\s*;?\s*$/i;

export function convertDatabase(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const server = required(conversion, object, spec['server']);
  if (server === undefined) return;
  const namespace = conversion.namespaceOf(object);
  const sql = textOf(spec['after_create_sql']);
  // PostgreSQL and MySQL have no such thing, and CockroachDB does it unless it is told not to.
  conversion.ignore(object, 'cascade_on_drop');
  const isRevoke = sql !== undefined && REVOKE_PUBLIC.test(sql);
  const hasInit = sql !== undefined && !isRevoke;
  if (hasInit && server.engine === 'mysql')
    conversion.lost(object, 'after_create_sql: MySQL databases have no initSQL');
  else if (hasInit)
    conversion.note(
      object,
      'after_create_sql became initSQL: it runs once, in the new database, as its owner, where it ran as the administrator in another',
    );
  conversion.add({
    from: object,
    group: 'sql',
    kind: 'Database',
    name: object.metadata.name,
    namespace,
    externalName: textOf(spec['db_name']),
    server: server.ref,
    forProvider: {
      ...(hasInit && server.engine !== 'mysql' ? { initSQL: sql } : {}),
      dropPolicy: spec['drop_on_deletion'] === true ? 'Always' : 'Never',
      ...adoption(conversion),
    },
  });
  if (isRevoke)
    conversion.add({
      from: object,
      group: 'sql',
      kind: 'Grant',
      name: conversion.free('Grant', namespace, `${object.metadata.name}-public`),
      namespace,
      server: server.ref,
      forProvider: {
        role: 'PUBLIC',
        databaseRef: { name: object.metadata.name },
        schema: 'public',
        privileges: [],
        exclusive: true,
      },
    });
}

const adoption = ({ options }: Conversion): object => (options.adopt ? { adopt: true } : {});

const named = (conversion: Conversion, kind: string, namespace: string, name: unknown): KubeObject | undefined =>
  conversion
    .all(kind, DB_OPERATOR)
    .find((one) => conversion.namespaceOf(one) === namespace && one.metadata.name === name);

export function convertSchema(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const server = required(conversion, object, spec['db_server_name']);
  if (server === undefined) return;
  if (server.engine === 'mysql') {
    conversion.lost(object, 'MySQL has no schemas inside of a database');
    return;
  }
  const creator = textOf(spec['creator']);
  conversion.add({
    from: object,
    group: 'sql',
    kind: 'Schema',
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    externalName: textOf(spec['name']),
    server: server.ref,
    forProvider: {
      databaseRef: { name: spec['db_name'] },
      ...(creator === undefined ? {} : { ownerRef: { name: creator } }),
      dropPolicy:
        spec['drop_on_deletion'] !== true ? 'Never' : spec['cascade_on_drop'] === true ? 'Always' : 'WhenEmpty',
      ...adoption(conversion),
    },
  });
}

export function convertUser(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const server = required(conversion, object, spec['db_server_name']);
  if (server === undefined) return;
  const serverPrivs = textOf(spec['server_privs']) ?? '';
  if (['ca_cert_key', 'tls_cert_key', 'tls_key_key'].some((field) => spec[field] !== undefined))
    conversion.note(object, 'its certificate is not needed: grants of a grantor are made without logging in as it');
  const isMysql = server.engine === 'mysql';
  const own: Record<string, unknown> = {};
  if (!isMysql && serverPrivs !== '')
    attempt(conversion, object, () => {
      own['privileges'] = roleAttributes(serverPrivs);
    });
  if (isMysql && listed(serverPrivs).some((word) => word.toUpperCase() === 'REQUIRESSL'))
    own['require'] = { type: 'SSL' };
  conversion.add({
    from: object,
    group: 'sql',
    kind: 'Role',
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    externalName: textOf(spec['user_name']),
    server: server.ref,
    ...(spec['drop_on_deletion'] === true ? {} : { policies: KEPT }),
    ...passwordOf(conversion, object, { ...own, ...onDelete(conversion, object, isMysql), ...adoption(conversion) }),
  });
  const entries = Array.isArray(spec['db_privs']) ? spec['db_privs'].map(fieldsOf) : [];
  for (const entry of entries) {
    const old = {
      scope: textOf(entry['scope']) ?? '',
      privs: textOf(entry['privs']),
      defaultPrivs: textOf(entry['default_privs']),
      type: textOf(entry['priv_type']),
    };
    attempt(conversion, object, () => {
      for (const grant of isMysql ? onMysql(old) : onPostgres(old))
        addGrant(conversion, object, server, grant, textOf(entry['grantor_user_name']));
    });
  }
  if (isMysql && serverPrivs !== '')
    for (const grant of onMysql({ scope: '*.*', privs: serverPrivs }))
      addGrant(conversion, object, server, grant, undefined);
}

function attempt(conversion: Conversion, object: KubeObject, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    conversion.lost(object, `${error.message}: it had no meaning before either`);
  }
}

function passwordOf(
  conversion: Conversion,
  object: KubeObject,
  forProvider: Record<string, unknown>,
): { forProvider: Record<string, unknown>; secretName?: string } {
  const spec = specOf(object);
  const name = textOf(spec['secret_name']);
  const key = textOf(spec['password_key']) ?? 'password';
  if (name === undefined) {
    conversion.note(object, 'has no password; add writeConnectionSecretToRef to have one made');
    return { forProvider };
  }
  if (spec['generate_secret'] !== true)
    return { forProvider: { ...forProvider, passwordSecretRef: { name, key } }, secretName: `${name}-connection` };
  if (!conversion.options.adopt) return { forProvider, secretName: name };
  conversion.note(object, `keeps the password in Secret ${name}; everything else it needs is in ${name}-connection`);
  return { forProvider: { ...forProvider, passwordSecretRef: { name, key } }, secretName: `${name}-connection` };
}

function onDelete(conversion: Conversion, object: KubeObject, isMysql: boolean): object {
  // MySQL never had them.
  if (isMysql) conversion.ignore(object, 'drop_user_options');
  const options = fieldsOf(specOf(object)['drop_user_options']);
  if (Object.keys(options).length === 0 || isMysql) return {};
  const heir = textOf(options['reassign_owned_to']);
  if (options['drop_owned'] === true)
    conversion.note(object, 'drop_owned destroys what the role owns, in every database of the server');
  return {
    onDelete: given({
      dropOwned: options['drop_owned'] === true ? true : undefined,
      reassignOwnedTo: heir,
      revokeGrants: options['revoke_privileges'] === true,
    }),
  };
}

function addGrant(
  conversion: Conversion,
  object: KubeObject,
  server: OldServer,
  grant: OldGrant,
  grantor: string | undefined,
): void {
  const namespace = conversion.namespaceOf(object);
  if (grant.privileges.length === 0) return;
  const known = conversion
    .all('Db', DB_OPERATOR)
    .find((one) => conversion.namespaceOf(one) === namespace && specOf(one)['db_name'] === grant.database);
  const database =
    grant.database === undefined
      ? {}
      : known === undefined
        ? { database: grant.database }
        : { databaseRef: { name: known.metadata.name } };
  const { schema, tables, columns, routine, privileges, withOption, system } = grant;
  const isCreator = grantor !== undefined && named(conversion, 'User', namespace, grantor) !== undefined;
  const of = (field: string): object =>
    grantor === undefined ? {} : isCreator ? { [`${field}Ref`]: { name: grantor } } : { [field]: grantor };
  if (grant.isDefault === true && grantor === undefined) {
    conversion.lost(object, 'privileges on tables to come need grantor_user_name: who makes the tables');
    return;
  }
  const what = [grant.database ?? 'server', schema, ...(tables ?? []), routine, ...(columns ?? [])]
    .filter((part) => part !== undefined)
    .map((part) => (part === '*' ? 'all' : part));
  const kind = grant.isDefault === true ? 'DefaultPrivileges' : 'Grant';
  conversion.add({
    from: object,
    group: 'sql',
    kind,
    name: conversion.free(kind, namespace, [object.metadata.name, ...what].join('-')),
    namespace,
    server: server.ref,
    ...(specOf(object)['drop_on_deletion'] === true ? {} : { policies: KEPT }),
    forProvider:
      grant.isDefault === true
        ? { ...database, ...of('targetRole'), roleRef: { name: object.metadata.name }, objectType: 'table', privileges }
        : {
            privileges,
            roleRef: { name: object.metadata.name },
            ...database,
            schema,
            tables,
            columns,
            ...(routine === undefined ? {} : { routines: [{ name: routine }] }),
            system,
            withOption,
            ...of('grantor'),
          },
  });
}
