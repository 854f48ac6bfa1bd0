/**
 * What a Job tells the runner and what the runner answers. The request is a JSON file that is mounted into the runner's
 * container; it holds no secret, only the paths of files in mounted Secrets. The result is the container's termination
 * message.
 */
import { z } from 'zod';

const path = z.string().regex(/^\//, 'must be an absolute path');

const s3Place = z.strictObject({
  type: z.literal('s3'),
  bucket: z.string().min(1),
  region: z.string().min(1).default('us-east-1'),
  endpoint: z.string().optional(),
  prefix: z.string().default(''),
  /** True when an endpoint is given, unless it says otherwise. */
  forcePathStyle: z.boolean().optional(),
  /** Absent: the identity of the pod (web identity of the ServiceAccount, or what the SDK finds otherwise). */
  credentials: z
    .strictObject({ accessKeyIdFile: path, secretAccessKeyFile: path, sessionTokenFile: path.optional() })
    .optional(),
  roleArn: z.string().optional(),
  externalId: z.string().optional(),
  /** Of the token service; absent: AWS_ENDPOINT_URL_STS, or that of Amazon in the region. */
  stsEndpoint: z.string().optional(),
  caFile: path.optional(),
  serverSideEncryption: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('SSE-S3') }),
      z.strictObject({ type: z.literal('SSE-KMS'), kmsKeyId: z.string().optional() }),
      z.strictObject({ type: z.literal('SSE-C'), customerKeyFile: path }),
    ])
    .optional(),
  storageClass: z.string().optional(),
});

const filesystemPlace = z.strictObject({
  type: z.literal('filesystem'),
  path,
  prefix: z.string().default(''),
});

/** Where files are. Keys in requests and results are below its prefix. */
export const place = z.discriminatedUnion('type', [s3Place, filesystemPlace]);

/** Those whose backups a Job makes with the engine's own tools. */
export const BACKUP_ENGINES = ['postgres', 'mysql', 'mariadb'] as const;

/** A Backup and a BackupSchedule of one name share a folder, and must not have each other's files. Absent: made by hand. */
export const ownerKind = z.enum(['Backup', 'BackupSchedule']);

/** Whose backup it is: the folder `<namespace>/<name>/<database>/`. */
const owner = z.strictObject({
  kind: ownerKind.optional(),
  namespace: z.string().min(1),
  /** Name of the Backup or BackupSchedule. */
  name: z.string().min(1),
  database: z.string().min(1),
  engine: z.enum(BACKUP_ENGINES),
});

/** One engine container: the folder (in an emptyDir that both mount) in which it and the runner meet. */
const toolFolder = z.strictObject({ folder: path });

/** How many of the newest backups, and of the newest of how many periods (UTC), are kept; a backup is kept by any rule. */
export const retentionRules = z.strictObject({
  keepLast: z.int().min(1).optional(),
  keepHourly: z.int().min(1).optional(),
  keepDaily: z.int().min(1).optional(),
  keepWeekly: z.int().min(1).optional(),
  keepMonthly: z.int().min(1).optional(),
  keepYearly: z.int().min(1).optional(),
});

const sourceOfRestore = z.strictObject({
  /** Exact key below the prefix. With neither `key` nor `before` the newest backup of `database` is taken. */
  key: z.string().min(1).optional(),
  before: z.iso.datetime({ offset: true }).optional(),
  /** Seconds; the newest backup must not be older. */
  maxAge: z.int().min(1).optional(),
  verifiedOnly: z.boolean().default(false),
  /**
   * Only files of this namespace may be read. Absent only where the storage is the tenant's own, or locally: then an exact
   * key may be anywhere, and the newest is looked for in all namespaces.
   */
  namespace: z.string().min(1).optional(),
  /** Only files of this Backup or BackupSchedule, or of both when no kind is given. */
  name: z.string().min(1).optional(),
  kind: ownerKind.optional(),
  /** Database that the backup was taken of. */
  database: z.string().min(1),
  engine: z.enum(BACKUP_ENGINES),
});

const backup = z.strictObject({
  action: z.literal('backup'),
  storage: place,
  owner,
  /** Names one run over all attempts of its Job, e.g. the Job's UID: an attempt finds what an earlier one has finished. */
  run: z.string().min(1),
  serverVersion: z.string().min(1),
  fileName: z.string().optional(),
  compression: z.enum(['zstd', 'gzip', 'none']).default('zstd'),
  compressionLevel: z.int().optional(),
  recipients: z.array(z.string()).default([]),
  countRows: z.boolean().default(false),
  /** Bytes of the database as the server counts them, from which the size of an upload's parts is chosen. */
  expectedSize: z.int().min(0).optional(),
  tool: toolFolder,
  /** Applied to the owner's folder after success; absent: everything is kept. */
  retention: retentionRules.optional(),
});

const restore = z.strictObject({
  action: z.literal('restore'),
  storage: place,
  source: sourceOfRestore,
  /** File with an age identity, for an encrypted backup. */
  identityFile: path.optional(),
  tool: toolFolder,
  /**
   * A test restore: the tool counts rows after loading (`countRows` of the load tool), they must be those of the manifest
   * where it has them, and the backup is marked as verified.
   */
  verify: z.boolean().default(false),
});

const copy = z.strictObject({
  action: z.literal('copy'),
  engine: z.enum(BACKUP_ENGINES),
  countRows: z.boolean().default(false),
  from: toolFolder,
  to: toolFolder,
});

const prune = z.strictObject({ action: z.literal('prune'), storage: place, owner, retention: retentionRules });

/** Answers with the backup that a restore of `source` would take, and loads nothing. */
const latest = z.strictObject({ action: z.literal('latest'), storage: place, source: sourceOfRestore });

/** Answers with the newest backups of one database, as many as fit into the message. */
const list = z.strictObject({ action: z.literal('list'), storage: place, source: sourceOfRestore });

/** Deletes every file of one Backup or BackupSchedule (`filePolicy: Delete`). */
const remove = z.strictObject({
  action: z.literal('delete'),
  storage: place,
  owner: owner.pick({ kind: true, namespace: true, name: true }),
});

/** All that a runner can be told to do. */
export const runRequest = z.discriminatedUnion('action', [backup, restore, copy, prune, latest, list, remove]);

/** Stable words for why a run failed. */
export const FAILURES = [
  /** The request is not one. */
  'InvalidRequest',
  /** The dump or load tool ended with an error; the message holds its last words. */
  'ToolFailed',
  /** The tool's container ended, or never began, and left no word. */
  'ToolVanished',
  'StorageUnavailable',
  'StorageDenied',
  'BucketNotFound',
  'StorageFull',
  /** What the storage holds after the upload is not what was sent. */
  'UploadDiffers',
  /** A fixed file name that another run has used. */
  'AlreadyExists',
  'BackupNotFound',
  'BackupTooOld',
  'ManifestMissing',
  'ManifestInvalid',
  'FileMissing',
  'FileTruncated',
  'ChecksumMismatch',
  'FileBroken',
  'IdentityMissing',
  'IdentityInvalid',
  'WrongIdentity',
  'EngineMismatch',
  /** The target holds something already, and must not. */
  'TargetNotEmpty',
  /** The server ran out of space while it loaded. */
  'TargetFull',
  'RowsDiffer',
  'NotYours',
  /** SIGTERM: the deadline, a deletion or a drained node. */
  'Interrupted',
  'Unexpected',
] as const;

export type FailureReason = (typeof FAILURES)[number];

const count = z.int().min(0);

/** One stored backup. `key` is below the prefix. */
export const storedBackupResult = z.object({
  key: z.string(),
  engine: z.enum(BACKUP_ENGINES),
  database: z.string(),
  serverVersion: z.string(),
  toolVersion: z.string(),
  startTime: z.iso.datetime(),
  finishTime: z.iso.datetime(),
  /** Bytes of the dump. */
  size: count,
  /** Bytes of the file, compressed and encrypted. */
  storedSize: count,
  /** Of the file. */
  sha256: z.string(),
  /** Of the dump. */
  plainSha256: z.string(),
  rows: count.optional(),
  verified: z.boolean().optional(),
});

/** What came of a run. */
export const runResult = z.object({
  version: z.literal(1),
  action: z.enum(['backup', 'restore', 'copy', 'prune', 'latest', 'list', 'delete', 'unknown']),
  ok: z.boolean(),
  startTime: z.iso.datetime(),
  finishTime: z.iso.datetime(),
  /** The backup that was made, restored or found. */
  backup: storedBackupResult.optional(),
  /** list */
  backups: z.array(storedBackupResult).optional(),
  /** Bytes and rows that went to the load tool. */
  loaded: z.object({ size: count, rows: count.optional() }).optional(),
  /** Rows that the server counted after loading. */
  countedRows: count.optional(),
  /** Objects of the dump that were left out because only an administrator may make them, e.g. "EVENT TRIGGER audit". */
  skipped: z.array(z.string()).optional(),
  /** Keys that were deleted, at most the first few; `prunedCount` counts all. */
  pruned: z.array(z.string()).optional(),
  prunedCount: count.optional(),
  /** The backup is good, but something beside it failed, e.g. pruning. */
  warning: z.string().optional(),
  failureReason: z.enum(FAILURES).optional(),
  failureMessage: z.string().optional(),
});

export type Place = z.infer<typeof place>;
export type S3Place = z.infer<typeof s3Place>;
export type FilesystemPlace = z.infer<typeof filesystemPlace>;
export type BackupEngine = (typeof BACKUP_ENGINES)[number];
export type Owner = z.infer<typeof owner>;
export type RetentionRules = z.infer<typeof retentionRules>;
export type RestoreSource = z.infer<typeof sourceOfRestore>;
export type RunRequest = z.infer<typeof runRequest>;
export type RunRequestInput = z.input<typeof runRequest>;
export type RequestOf<A extends RunRequest['action']> = Extract<RunRequest, { action: A }>;
export type StoredBackup = z.infer<typeof storedBackupResult>;
export type RunResult = z.infer<typeof runResult>;

/** Most bytes of a termination message. */
const MESSAGE_LIMIT = 4096;

/** The termination message of a result: JSON of at most 4096 bytes, with lists and texts cut where they must be. */
export function encodeResult(result: RunResult): string {
  const cut = structuredClone(result);
  const fits = (): boolean => Buffer.byteLength(JSON.stringify(cut)) <= MESSAGE_LIMIT;
  for (const field of ['pruned', 'backups', 'skipped'] as const)
    while (!fits() && (cut[field]?.length ?? 0) > 0) cut[field]?.pop();
  for (const field of ['warning', 'failureMessage'] as const)
    while (!fits() && (cut[field]?.length ?? 0) > 64) cut[field] = `${cut[field]?.slice(0, -32).trimEnd()}…`;
  return JSON.stringify(cut);
}

/**
 * Reads a termination message.
 * @returns undefined when it is none of ours, e.g. because the container was killed before it could write one.
 */
export function decodeResult(message: string): RunResult | undefined {
  try {
    return runResult.parse(JSON.parse(message));
  } catch {
    return undefined;
  }
}
