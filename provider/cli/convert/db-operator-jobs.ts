/** Backup, restore and copy kinds of obeleh/db-operator. */
import type { KubeObject } from '../../api/kind.ts';
import { type Conversion, given, KEPT, specOf, textOf } from './conversion.ts';
import { DB_OPERATOR, type OldServer, serverOf, storageOf } from './db-operator-servers.ts';

interface OldDatabase {
  object: KubeObject;
  server: OldServer;
}

function databaseOf(conversion: Conversion, user: KubeObject, name: unknown): OldDatabase | undefined {
  const namespace = conversion.namespaceOf(user);
  const object = conversion
    .all('Db', DB_OPERATOR)
    .find((one) => one.metadata.name === name && conversion.namespaceOf(one) === namespace);
  const server = object === undefined ? undefined : serverOf(conversion, namespace, textOf(specOf(object)['server']));
  if (object !== undefined && server !== undefined) return { object, server };
  conversion.lost(user, `its Db ${JSON.stringify(name)}, or the DbServer of that, is not in the files`);
  return undefined;
}

const scheduleOf = (spec: Record<string, unknown>): object =>
  spec['interval'] === undefined ? {} : { schedule: spec['interval'], suspend: spec['suspend'] === true };

/** With a shared server jobs run beside the credentials of the platform, under an identity of its choice. */
function accountOf(conversion: Conversion, object: KubeObject, { ref }: OldServer): object {
  const name = textOf(specOf(object)['service_account']);
  if (name === undefined) return {};
  if (ref.kind === 'ProviderConfig') return { serviceAccountName: name };
  conversion.lost(object, `service_account ${name}: set jobs.serviceAccountName in ClusterProviderConfig ${ref.name}`);
  return {};
}

const targetOf = (conversion: Conversion, object: KubeObject, kind: string, name: unknown): KubeObject | undefined => {
  const found = conversion
    .all(kind, DB_OPERATOR)
    .find((one) => one.metadata.name === name && conversion.namespaceOf(one) === conversion.namespaceOf(object));
  if (found === undefined) conversion.lost(object, `its ${kind} ${JSON.stringify(name)} is not in the files`);
  return found;
};

export function convertBackup(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const target = targetOf(conversion, object, 'BackupTarget', spec['backup_target']);
  const database = target && databaseOf(conversion, object, specOf(target)['db_name']);
  const storage = target && database && storageOf(conversion, object, target);
  if (database === undefined || storage === undefined) return;
  const isSchedule = spec['interval'] !== undefined;
  const file = textOf(spec['fixed_file_name']);
  if (spec['ignore_existing_backups'] !== undefined)
    conversion.note(object, 'ignore_existing_backups is not needed: backups of others in a place are left alone');
  conversion.add({
    from: object,
    group: 'backup',
    kind: isSchedule ? 'BackupSchedule' : 'Backup',
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    server: database.server.ref,
    ...(spec['drop_on_deletion'] === false ? { policies: KEPT } : {}),
    forProvider: {
      databaseRef: { name: database.object.metadata.name },
      ...scheduleOf(spec),
      storage,
      // It made its schedules so; without a word about it, CockroachDB makes incremental backups of a daily one.
      ...(isSchedule && database.server.engine === 'cockroachdb' ? { cockroachdb: { fullBackup: 'Always' } } : {}),
      ...(isSchedule || file === undefined ? {} : { fileName: file.replace(/\.[A-Za-z0-9]+$/, '') }),
      ...accountOf(conversion, object, database.server),
    },
  });
  if (isSchedule && file !== undefined)
    conversion.lost(object, 'fixed_file_name: every backup of a schedule has a file of its own');
}

export function convertRestore(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const target = targetOf(conversion, object, 'RestoreTarget', spec['restore_target']);
  const database = target && databaseOf(conversion, object, specOf(target)['db_name']);
  const storage = target && database && storageOf(conversion, object, target);
  if (database === undefined || storage === undefined) return;
  const isSchedule = spec['interval'] !== undefined;
  const file = textOf(spec['fixed_file_name']);
  if (file !== undefined)
    conversion.note(
      object,
      `fixed_file_name ${file}: files of the predecessor have no manifest, make a new Backup first`,
    );
  conversion.add({
    from: object,
    group: 'backup',
    kind: isSchedule ? 'RestoreSchedule' : 'Restore',
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    server: database.server.ref,
    forProvider: {
      targetDatabaseRef: { name: database.object.metadata.name },
      ...scheduleOf(spec),
      source: { storage, ...(isSchedule || file === undefined ? {} : { key: file }) },
      // It always loaded over what was there.
      mode: 'Replace',
      ...accountOf(conversion, object, database.server),
    },
  });
}

export function convertCopy(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const from = databaseOf(conversion, object, spec['from_db_name']);
  const to = databaseOf(conversion, object, spec['to_db_name']);
  if (from === undefined || to === undefined) return;
  if (from.server.engine !== to.server.engine) {
    conversion.lost(object, `copies from ${from.server.engine} to ${to.server.engine}, which cannot work`);
    return;
  }
  conversion.add({
    from: object,
    group: 'backup',
    kind: spec['interval'] === undefined ? 'Copy' : 'CopySchedule',
    name: object.metadata.name,
    namespace: conversion.namespaceOf(object),
    server: to.server.ref,
    forProvider: given({
      sourceDatabaseRef: { name: from.object.metadata.name },
      sourceProviderConfigRef: from.server.object === to.server.object ? undefined : from.server.ref,
      targetDatabaseRef: { name: to.object.metadata.name },
      ...scheduleOf(spec),
      mode: 'Replace',
      ...accountOf(conversion, object, to.server),
    }),
  });
}
