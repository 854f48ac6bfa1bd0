/** Names of what a backup resource has on a server that makes backups by itself, and of its place in a storage. */
import { createHash } from 'node:crypto';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** One place for each resource: the names of two never meet, and its jobs are known by it. */
export const connectionName = (uid: string): string => `xdatabase_${digest(uid)}`;

/** Two resources of one name, in two namespaces or one after the other, are two schedules. */
export const scheduleLabel = (namespace: string, name: string, uid: string): string =>
  `xdatabase ${namespace}/${name} ${digest(uid)}`;

export interface CollectionOwner {
  namespace: string;
  /** Of the Backup or BackupSchedule. */
  name: string;
  database: string;
}

/** Below the prefix of the storage, as keys of other engines are. */
export const collectionPath = ({ namespace, name, database }: CollectionOwner): string =>
  [namespace, name, database].map(encoded).join('/');

/** Quotes too: the server shows the place inside of them. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);

/** As BACKUP and RESTORE name the place of a collection. */
export const collectionOf = (connection: string, path: string): string => `external://${connection}/${path}`;

/** The backup's path in its collection begins with its time: `/2026/11/25-081234.56`. */
const PATH = /^(.*?)(\/\d{4}\/\d\d\/\d\d-\d{6}\.\d\d)$/;

/** What a Restore names a backup by: `splitKey` takes it apart again. */
export const keyOf = (collection: string, path: string): string => `${collection}${path}`;

/** Collection and path of a key; undefined for what is none. */
export function splitKey(key: string): { collection: string; path: string } | undefined {
  const [, collection, path] = PATH.exec(key) ?? [];
  return collection === undefined || path === undefined ? undefined : { collection, path };
}

/** When the backup was taken. */
export function timeOf(path: string): Date | undefined {
  const [, year, month, day, hour, minute, second] =
    /(\d{4})\/(\d\d)\/(\d\d)-(\d\d)(\d\d)(\d\d\.\d\d)$/.exec(path) ?? [];
  if (year === undefined) return undefined;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}0Z`);
}

/** The path that the statement of a backup's job names. */
export const pathIn = (description: string): string | undefined =>
  /\bINTO '(\/\d{4}\/\d\d\/\d\d-\d{6}\.\d\d)' IN\b/.exec(description)?.[1];
