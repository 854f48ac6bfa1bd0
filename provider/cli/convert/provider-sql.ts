/** The kinds of crossplane-contrib/provider-sql, cluster-scoped and namespaced. Most fields keep their names. */
import type { KubeObject } from '../../api/kind.ts';
import { type Conversion, fieldsOf, given, KEPT, specOf, textOf } from './conversion.ts';
import { convertConfig, engineOf, serverOf, versionOf } from './provider-sql-config.ts';

type Fields = Record<string, unknown>;

/** `x`, `xRef` and `xSelector`, without namespaces: references stay inside one. */
function referred(conversion: Conversion, object: KubeObject, from: string, to = from): Fields {
  const { [from]: value, [`${from}Ref`]: ref, [`${from}Selector`]: selector } = fieldsOf(specOf(object)['forProvider']);
  const without = (reference: unknown): unknown => {
    if (reference === undefined) return undefined;
    const { namespace, ...rest } = fieldsOf(reference);
    if (namespace !== undefined && namespace !== conversion.namespaceOf(object))
      conversion.lost(
        object,
        `forProvider.${from}: references do not leave the namespace, and this one went to ${JSON.stringify(namespace)}`,
      );
    return rest;
  };
  return given({ [to]: value, [`${to}Ref`]: without(ref), [`${to}Selector`]: without(selector) });
}

const picked = (fields: Fields, ...names: string[]): Fields =>
  given(Object.fromEntries(names.map((name) => [name, fields[name]])));

const adoption = ({ options }: Conversion): Fields => (options.adopt ? { adopt: true } : {});

interface Target {
  kind: string;
  forProvider: Fields;
  externalName?: string;
}

type Convert = (conversion: Conversion, object: KubeObject, forProvider: Fields) => Target;

/** What a name is on the server when there is no annotation. */
const externalOf = ({ metadata }: KubeObject): string =>
  metadata.annotations?.['crossplane.io/external-name'] ?? metadata.name;

/** It dropped what it had with all it held; a careful default would be another meaning. */
const dropped = (conversion: Conversion, object: KubeObject): Fields => {
  conversion.note(
    object,
    'dropPolicy Always keeps the old meaning; WhenEmpty, the default, keeps what holds something',
  );
  return { dropPolicy: 'Always' };
};

const PASSWORD = ['passwordSecretRef'];

function passwordFields(conversion: Conversion, object: KubeObject, forProvider: Fields): Fields {
  const ref = fieldsOf(forProvider['passwordSecretRef']);
  if (Object.keys(ref).length === 0) return {};
  const { namespace, ...rest } = ref;
  if (namespace !== undefined && namespace !== conversion.namespaceOf(object))
    conversion.lost(
      object,
      `forProvider.passwordSecretRef: the Secret has to be in the namespace of the Role, not in ${JSON.stringify(namespace)}`,
    );
  return { passwordSecretRef: rest };
}

const postgres: Record<string, Convert> = {
  Database: (conversion, object, from) => ({
    kind: 'Database',
    externalName: externalOf(object),
    forProvider: {
      ...referred(conversion, object, 'owner'),
      ...picked(from, 'template', 'encoding', 'tablespace', 'allowConnections', 'connectionLimit', 'isTemplate'),
      ...given({
        strategy: textOf(from['strategy'])?.toUpperCase(),
        collation: from['lcCollate'],
        characterClassification: from['lcCType'],
      }),
      ...dropped(conversion, object),
      ...adoption(conversion),
    },
  }),
  Role: (conversion, object, from) => ({
    kind: 'Role',
    externalName: externalOf(object),
    forProvider: {
      ...picked(from, 'privileges', 'connectionLimit', 'configurationParameters'),
      ...passwordFields(conversion, object, from),
      ...(textOf(from['passwordRotationTrigger']) === undefined || PASSWORD.some((field) => from[field] !== undefined)
        ? {}
        : { passwordRotation: { trigger: from['passwordRotationTrigger'] } }),
      ...adoption(conversion),
    },
  }),
  Grant: (conversion, object, from) => {
    if (from['revokePublicOnDb'] === true) addPublic(conversion, object, referred(conversion, object, 'database'));
    return {
      kind: 'Grant',
      forProvider: {
        ...picked(
          from,
          'privileges',
          'tables',
          'columns',
          'sequences',
          'routines',
          'foreignDataWrappers',
          'foreignServers',
          'withInherit',
        ),
        ...(from['withOption'] === undefined ? {} : { withOption: true }),
        ...['role', 'database', 'schema', 'memberOf']
          .map((field) => referred(conversion, object, field))
          .reduce((all, one) => ({ ...all, ...one }), {}),
      },
    };
  },
  Schema: (conversion, object, from) => ({
    kind: 'Schema',
    externalName: externalOf(object),
    forProvider: {
      ...referred(conversion, object, 'role', 'owner'),
      ...referred(conversion, object, 'database'),
      ...picked(from, 'revokePublicOnSchema'),
      dropPolicy: from['dropBehavior'] === 'CASCADE' ? 'Always' : 'WhenEmpty',
      ...adoption(conversion),
    },
  }),
  Extension: (conversion, object, from) => ({
    kind: 'Extension',
    forProvider: {
      ...picked(from, 'extension', 'version', 'schema'),
      ...referred(conversion, object, 'database'),
      ...adoption(conversion),
    },
  }),
  DefaultPrivileges: (conversion, object, from) => ({
    kind: 'DefaultPrivileges',
    forProvider: {
      ...picked(from, 'targetRole', 'objectType', 'schema', 'privileges'),
      ...(from['withOption'] === undefined ? {} : { withOption: true }),
      ...referred(conversion, object, 'role'),
      ...referred(conversion, object, 'database'),
    },
  }),
};

/** It was on by default, and is always on here. */
function checkBinlog(conversion: Conversion, object: KubeObject, { binlog }: Fields): void {
  if (binlog === false)
    conversion.lost(object, 'forProvider.binlog false: what is done to this object goes into the binary log');
}

const mysql: Record<string, Convert> = {
  Database: (conversion, object, from) => ({
    kind: 'Database',
    externalName: externalOf(object),
    forProvider: {
      ...given({ characterSet: from['defaultCharacterSet'], collation: from['defaultCollation'] }),
      ...dropped(conversion, object),
      ...adoption(conversion),
    },
  }),
  User: (conversion, object, from) => {
    const account = externalOf(object);
    // The host never holds an @, the user may.
    const at = account.lastIndexOf('@');
    return {
      kind: 'Role',
      externalName: at < 0 ? account : account.slice(0, at),
      forProvider: {
        ...(at < 0 ? {} : { host: account.slice(at + 1) }),
        ...picked(from, 'authenticationPlugin', 'resourceOptions'),
        ...passwordFields(conversion, object, from),
        ...adoption(conversion),
      },
    };
  },
  Grant: (conversion, object, from) => {
    const words = (Array.isArray(from['privileges']) ? from['privileges'] : []).map(String);
    const columns = words.filter((word) => word.includes('('));
    if (columns.length > 0)
      conversion.lost(
        object,
        `privileges on columns (${columns.join(', ')}) take a Grant with tables and columns each`,
      );
    const privileges = words.filter((word) => !columns.includes(word) && word !== 'GRANT OPTION');
    const { database, table } = from;
    const isGlobal =
      database === '*' ||
      (database === undefined && from['databaseRef'] === undefined && from['databaseSelector'] === undefined);
    return {
      kind: 'Grant',
      forProvider: {
        privileges: privileges.map((word) => (word === 'ALL PRIVILEGES' ? 'ALL' : word)),
        ...(words.includes('GRANT OPTION') ? { withOption: true } : {}),
        ...referred(conversion, object, 'user', 'role'),
        ...(isGlobal ? { system: true } : referred(conversion, object, 'database')),
        ...(table === undefined || table === '*' ? {} : { tables: [table] }),
      },
    };
  },
};

/** Everybody loses the database, which is a grant of its own. */
function addPublic(conversion: Conversion, object: KubeObject, database: Fields): void {
  const namespace = conversion.namespaceOf(object);
  conversion.add({
    from: object,
    group: 'sql',
    kind: 'Grant',
    name: conversion.free('Grant', namespace, `${object.metadata.name}-public`),
    namespace,
    server: serverOf(object),
    forProvider: { role: 'PUBLIC', ...database, privileges: [], exclusive: true },
  });
}

/** As they are; an older deletionPolicy says the same in fewer words. */
function policiesOf(object: KubeObject): readonly string[] | undefined {
  const { deletionPolicy, managementPolicies } = specOf(object);
  const policies = Array.isArray(managementPolicies) ? managementPolicies.map(String) : ['*'];
  const all = policies.includes('*') ? [...KEPT, 'Delete'] : policies;
  const left = deletionPolicy === 'Orphan' ? all.filter((policy) => policy !== 'Delete') : all;
  return left.length === KEPT.length + 1 ? undefined : left;
}

export function convertProviderSql(conversion: Conversion, object: KubeObject): void {
  const engine = engineOf(object);
  if (object.kind === 'ProviderConfigUsage') return;
  if (engine === 'mssql') {
    conversion.lost(object, 'Microsoft SQL Server is not supported');
    return;
  }
  if (versionOf(object) !== 'v1alpha1' || engine === '') {
    conversion.lost(object, `${object.apiVersion} is not known; known: v1alpha1 of postgresql and mysql`);
    return;
  }
  if (/^(Cluster)?ProviderConfig$/.test(object.kind)) {
    convertConfig(conversion, object, engine);
    return;
  }
  const convert = (engine === 'postgresql' ? postgres : mysql)[object.kind];
  if (convert === undefined) {
    conversion.lost(object, `${object.kind} is not a kind of provider-sql`);
    return;
  }
  if (engine === 'mysql') checkBinlog(conversion, object, fieldsOf(specOf(object)['forProvider']));
  const { kind, forProvider, externalName } = convert(conversion, object, fieldsOf(specOf(object)['forProvider']));
  conversion.add({
    from: object,
    group: 'sql',
    kind,
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    ...(externalName === undefined ? {} : { externalName }),
    forProvider,
    server: serverOf(object),
    policies: policiesOf(object),
    secretName: secretOf(conversion, object),
  });
}

function secretOf(conversion: Conversion, object: KubeObject): string | undefined {
  const { name, namespace } = fieldsOf(specOf(object)['writeConnectionSecretToRef']);
  if (namespace !== undefined && namespace !== conversion.namespaceOf(object))
    conversion.lost(
      object,
      `its connection Secret was in ${JSON.stringify(namespace)}; it is in the namespace of the resource now`,
    );
  return textOf(name);
}
