/** Manifests of the predecessor (obeleh/db-operator) and of provider-sql as manifests of our kinds. */
import type { KubeObject } from '../../api/kind.ts';
import { Conversion, type ConvertOptions, type Note } from './conversion.ts';
import { convertBackup, convertCopy, convertRestore } from './db-operator-jobs.ts';
import { DB_OPERATOR, convertServer } from './db-operator-servers.ts';
import { convertDatabase, convertSchema, convertUser } from './db-operator-sql.ts';
import { composedBy } from './metadata.ts';
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

const DB_OPERATOR_GROUP = DB_OPERATOR.slice(0, DB_OPERATOR.indexOf('/') + 1);
const isDbOperator = ({ apiVersion }: KubeObject): boolean => apiVersion.startsWith(DB_OPERATOR_GROUP);
/** Of any version: what is of one that is not known must not pass as if it were nothing to us. */
const OLD_GROUPS = /\b(?:db-operator\.kubemaster\.com|sql\.(?:m\.)?crossplane\.io)\//;

/** Of other operators that make databases and logins: who gives their manifests thinks that they are converted. */
const FOREIGN =
  /^(?:k8s\.mariadb\.com|mariadb\.mmontes\.io|db\.movetokube\.com|postgresql\.easymile\.com|postgresql\.cnpg\.io|acid\.zalan\.do|kinda\.rocks|postgresql\.aboutbits\.it)\//;

export interface Converted {
  objects: KubeObject[];
  notes: Note[];
}

function convertOne(conversion: Conversion, object: KubeObject): void {
  if (isDbOperator(object)) {
    const known = object.apiVersion === DB_OPERATOR ? KINDS[object.kind] : undefined;
    if (known === undefined)
      conversion.lost(object, `is none of the kinds of db-operator; known: ${Object.keys(KINDS).join(', ')}`);
    else known(conversion, object);
  } else if (isProviderSql(object)) convertProviderSql(conversion, object);
  else conversion.addPlain(object);
}

function noteLost(conversion: Conversion, object: KubeObject): void {
  const composite = composedBy(object);
  // The provider makes its own.
  if (object.kind === 'ProviderConfigUsage') return;
  if (isDbOperator(object) || isProviderSql(object)) {
    conversion.noteUnread(object, KINDS[object.kind] === merged && isDbOperator(object));
    if (composite !== undefined)
      conversion.note(object, `was composed by ${composite}, which would make it again: convert what composes it`);
  } else if (FOREIGN.test(object.apiVersion))
    conversion.lost(
      object,
      `stays as it is: manifests of ${object.apiVersion.split('/')[0]} are not converted; xdb import writes manifests for what is on the server`,
    );
  else if (object.kind !== 'Secret' && OLD_GROUPS.test(JSON.stringify({ ...object, metadata: {} })))
    conversion.lost(object, 'holds objects of the old kinds, which stay as they are: rewrite it by hand');
}

/** Everything else passes as it is. Objects that name each other have to be given together, in any order. */
export function convert(input: readonly KubeObject[], options: ConvertOptions): Converted {
  const conversion = new Conversion(input, options);
  for (const object of conversion.input) convertOne(conversion, object);
  for (const object of conversion.input) noteLost(conversion, object);
  return { objects: conversion.objects, notes: conversion.notes };
}
