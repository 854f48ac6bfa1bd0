/** Manifests of the predecessor (obeleh/db-operator) and of provider-sql as manifests of our kinds. */
import type { KubeObject } from '../../api/kind.ts';
import { Conversion, type ConvertOptions, type Note } from './conversion.ts';
import { convertBackup, convertCopy, convertRestore } from './db-operator-jobs.ts';
import { DB_OPERATOR, convertServer } from './db-operator-servers.ts';
import { convertDatabase, convertSchema, convertUser } from './db-operator-sql.ts';
import { convertProviderSql } from './provider-sql.ts';
import { isProviderSql } from './provider-sql-config.ts';

type Convert = (conversion: Conversion, object: KubeObject) => void;

/** Places and targets became fields of those that used them. */
const merged: Convert = () => {};

/** The 15 kinds of the predecessor. */
const KINDS: Record<string, Convert> = {
  DbServer: convertServer,
  Db: convertDatabase,
  User: convertUser,
  Schema: convertSchema,
  S3Storage: merged,
  BackupTarget: merged,
  RestoreTarget: merged,
  BackupJob: convertBackup,
  BackupCronJob: convertBackup,
  RestoreJob: convertRestore,
  RestoreCronJob: convertRestore,
  DbCopyJob: convertCopy,
  DbCopyCronJob: convertCopy,
  CockroachDBBackupJob: convertBackup,
  CockroachDBBackupCronJob: convertBackup,
};

export interface Converted {
  objects: KubeObject[];
  notes: Note[];
}

/** Everything else passes as it is. Objects that name each other have to be given together. */
export function convert(input: readonly KubeObject[], options: ConvertOptions): Converted {
  const conversion = new Conversion(input, options);
  for (const object of input) {
    const known = object.apiVersion === DB_OPERATOR ? KINDS[object.kind] : undefined;
    if (known !== undefined) known(conversion, object);
    else if (isProviderSql(object)) convertProviderSql(conversion, object);
    else conversion.addPlain(object);
  }
  return { objects: conversion.objects, notes: conversion.notes };
}
