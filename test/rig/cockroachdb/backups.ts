/** BACKUP and RESTORE, and what is said about their jobs. */
import { quoted } from './backend.ts';
import { describe, quotedText, withOptions, word } from './backup-options.ts';
import { COPY_PREFIX } from './catalog.ts';
import { externalConnection, placeOf, redacted } from './collections.ts';
import type { Handler } from './execute.ts';
import { idsOf } from './select-ids.ts';
import { schedules } from './schedules.ts';
import type { Session } from './session.ts';
import { resultOf } from './shapes.ts';
import type { BackupSpec, Job, StoredBackup } from './state.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

export const backups: Handler = async (session, cursor) => {
  if (cursor.accept('backup')) return await backup(session, cursor);
  if (cursor.accept('restore')) return await restore(session, cursor);
  if (cursor.accept('check', 'external', 'connection')) return check(session, cursor);
  const connection = externalConnection(session, cursor);
  if (connection !== undefined) return connection;
  cursor.at = 0;
  const control = cursor.oneOf(
    'pause job',
    'resume job',
    'cancel job',
    'pause jobs',
    'resume jobs',
    'cancel jobs',
    'cancel sessions',
  );
  if (control !== undefined) return await controlJobs(session, cursor, control);
  cursor.at = 0;
  return await schedules(session, cursor);
};

function check(session: Session, cursor: Cursor): Result {
  if (session.simulator.version < 250_100) throw cursor.error(cursor.tokens[0]);
  placeOf(session, cursor.string());
  cursor.end();
  return resultOf(
    { shape: 'CHECK EXTERNAL CONNECTION', rows: [{ node: 1, locality: '', ok: true, error: '' }] },
    session.simulator.version,
    'CHECK EXTERNAL CONNECTION',
  );
}

/** Databases of a BACKUP or a schedule; undefined = the cluster. */
export function targets(cursor: Cursor): string[] | undefined {
  if (cursor.accept('table')) throw new SqlError('0A000', 'simulator: backups of tables');
  return cursor.accept('database') ? cursor.list(() => cursor.name()) : undefined;
}

export function collectionOf(cursor: Cursor): string {
  if (!cursor.accept('(')) return cursor.string();
  const [first = ''] = cursor.list(() => cursor.string());
  cursor.expect(')');
  return first;
}

function asOf(cursor: Cursor): Date | undefined {
  if (!cursor.accept('as', 'of', 'system', 'time')) return undefined;
  const text = cursor.string();
  const back = /^-(\d+)(s|m|h)$/.exec(text);
  if (back === null) return new Date(text);
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[back[2] as 's' | 'm' | 'h'];
  return new Date(Date.now() - Number(back[1]) * unit);
}

export async function mayBackUp(session: Session, databases: readonly string[] | undefined): Promise<void> {
  const { state, catalog } = session.simulator;
  if (state.hasSystem(session.currentUser, 'BACKUP')) return;
  for (const name of databases ?? ['the cluster']) {
    const acl = databases === undefined ? undefined : await catalog.databaseAcl(name);
    const holds = [...state.reach(session.currentUser)].some(
      (role) => acl?.get(role)?.has('BACKUP') === true || acl?.get(role)?.has('ALL') === true,
    );
    if (!holds)
      throw new SqlError('42501', `user ${session.currentUser} does not have BACKUP privilege on database ${name}`);
  }
}

async function backup(session: Session, cursor: Cursor): Promise<Result> {
  const { simulator } = session;
  const databases = targets(cursor);
  cursor.expect('into');
  let mode: 'new' | 'latest' | 'named' = 'new';
  let subdirectory: string | undefined;
  if (cursor.accept('latest')) {
    mode = 'latest';
    cursor.expect('in');
  } else if (cursor.tokens[cursor.at + 1]?.text === 'in') {
    mode = 'named';
    subdirectory = cursor.string();
    cursor.expect('in');
  }
  const collection = collectionOf(cursor);
  const time = asOf(cursor);
  const options = withOptions(cursor, 'BACKUP', simulator.version);
  cursor.end();
  await mayBackUp(session, databases);
  const place = placeOf(session, collection);
  for (const name of databases ?? []) await existed(session, name, time);
  const spec: BackupSpec = { databases, collection, options, ...(subdirectory === undefined ? {} : { subdirectory }) };
  const isLatest = mode !== 'new';
  const job = startBackup(session, spec, place, isLatest, time);
  const shape = options.get('detached') === 'true' ? 'BACKUP detached' : 'BACKUP';
  return await answer(session, job, shape);
}

/** A backup of the past does not know what was made since. */
async function existed({ simulator }: Session, name: string, time: Date | undefined): Promise<void> {
  const { oid } = await simulator.catalog.database(name);
  const made = simulator.made.get(oid);
  if (time !== undefined && made !== undefined && made > time)
    throw new SqlError('3D000', `database "${name}" does not exist`);
  if (time !== undefined && time.getTime() < Date.now() - 4 * 3_600_000)
    throw new SqlError('22023', `batch timestamp ${time.toISOString()} must be after replica GC threshold`);
}

async function answer(
  session: Session,
  job: Job,
  shape: 'BACKUP detached' | 'BACKUP' | 'RESTORE detached' | 'RESTORE',
): Promise<Result> {
  const { version, jobs } = session.simulator;
  const tag = shape.split(' ')[0] ?? shape;
  if (shape.endsWith('detached')) return resultOf({ shape, rows: [{ job_id: job.id }] }, version, tag);
  return {
    ...resultOf(
      {
        shape,
        rows: [{ job_id: job.id, status: 'succeeded', fraction_completed: 1, rows: 0, index_entries: 0, bytes: 0 }],
      },
      version,
      tag,
    ),
    // The turn of changes is needed by the job itself.
    later: async () => {
      const ended = await jobs.ended(job);
      if (ended.status !== 'succeeded') throw new SqlError('XXUUU', `job ${job.id}: ${ended.status}: ${ended.error}`);
    },
  };
}

const pathOf = (date: Date): string => {
  const [day = '', time = ''] = date.toISOString().split('T');
  return `/${day.replace('-', '/').replace('-', '/')}-${time.slice(0, 11).replaceAll(':', '')}`;
};

/** In the name of a session or of a schedule. */
export function startBackup(
  session: Pick<Session, 'simulator' | 'currentUser'>,
  spec: BackupSpec,
  place: string,
  isLatest: boolean,
  time: Date | undefined,
  schedule?: string,
): Job {
  const { simulator } = session;
  const { state, catalog, jobs } = simulator;
  const end = time ?? new Date();
  const earlier = state.backups.filter(({ collection }) => collection === place);
  const last = isLatest
    ? earlier.findLast(({ path }) => spec.subdirectory === undefined || path === spec.subdirectory)
    : undefined;
  if (isLatest && last === undefined)
    throw new SqlError(
      '58030',
      `path does not contain a completed latest backup: no backups found in ${redacted(spec.collection)}`,
    );
  const path = last?.path ?? pathOf(end);
  const statement = describe(spec, `${quotedText(path)} IN ${quotedText(redacted(spec.collection))}`, ['detached']);
  return jobs.start(
    'BACKUP',
    statement,
    statement,
    session.currentUser,
    async () => {
      const names =
        spec.databases ?? (await catalog.databases()).map(({ name }) => name).filter((name) => name !== 'system');
      const stored: StoredBackup = {
        collection: place,
        path,
        isFull: last === undefined,
        start: last?.end,
        end,
        passphrase: spec.options.get('encryption_passphrase'),
        kms: spec.options.get('kms'),
        databases: [],
      };
      for (const name of names) stored.databases.push(await copyOf(session, name));
      state.backups.push(stored);
    },
    schedule === undefined ? {} : { schedule },
  );
}

async function copyOf(
  { simulator }: Pick<Session, 'simulator'>,
  name: string,
): Promise<StoredBackup['databases'][number]> {
  const { catalog, state } = simulator;
  const objects = await catalog.objects(name);
  const tables = objects
    .filter(({ level }) => level === 'table')
    .map(({ schema, name: table, kind }) => ({ schema, name: table, type: kind }));
  const grants = objects.map((object) => ({
    level: object.level,
    schema: object.schema,
    name: object.name,
    acl: catalog.aclOf(object),
  }));
  const copy = `${COPY_PREFIX}${state.id()}`;
  await simulator.copyDatabase(name, copy);
  await simulator.disown(copy, 'admin');
  await catalog.evict(copy);
  return { name, copy, tables, grants };
}

async function restore(session: Session, cursor: Cursor): Promise<Result> {
  const { simulator } = session;
  const databases = targets(cursor);
  if (databases === undefined || databases.length !== 1)
    throw new SqlError('0A000', 'simulator: RESTORE of one database only');
  const [name = ''] = databases;
  cursor.expect('from');
  const subdirectory = cursor.accept('latest') ? undefined : cursor.string();
  cursor.expect('in');
  const collection = collectionOf(cursor);
  asOf(cursor);
  const options = withOptions(cursor, 'RESTORE', simulator.version);
  cursor.end();
  const { state } = simulator;
  if (!state.hasSystem(session.currentUser, 'RESTORE'))
    throw new SqlError('42501', `user ${session.currentUser} does not have RESTORE system privilege`);
  const found = findBackup(simulator.state.backups, placeOf(session, collection), subdirectory, options);
  const source = found.databases.find((database) => database.name === name);
  if (source === undefined) throw new SqlError('22023', `database "${name}" does not exist in the backup`);
  const target = options.get('new_db_name') ?? name;
  if (state.isRestoring(target) || (await simulator.catalog.exists(target)))
    throw new SqlError('42P04', `database "${target}" already exists`);
  const shown = [...options]
    .filter(([key]) => key !== 'detached')
    .map(([key, value]) => `${key} = ${key === 'encryption_passphrase' ? "'*****'" : quotedText(value)}`);
  const statement = `RESTORE DATABASE ${word(name)} FROM ${quotedText(found.path)} IN ${quotedText(redacted(collection))}${shown.length === 0 ? '' : ` WITH OPTIONS (${shown.join(', ')})`}`;
  const owner = session.currentUser;
  const job = simulator.jobs.start(
    'RESTORE',
    statement,
    statement,
    owner,
    async () => {
      await simulator.catalog.run('postgres', `CREATE DATABASE ${quoted(target)} TEMPLATE ${quoted(source.copy)}`);
      await simulator.catalog.run('postgres', `ALTER DATABASE ${quoted(target)} OWNER TO ${quoted(owner)}`);
      await simulator.disown(target, owner);
      for (const object of options.has('grants') ? await simulator.catalog.objects(target) : []) {
        const given = source.grants.find(
          (entry) => entry.level === object.level && entry.schema === object.schema && entry.name === object.name,
        );
        for (const [grantee, held] of given?.acl ?? []) simulator.catalog.aclOf(object).set(grantee, new Map(held));
        await simulator.catalog.project(target, object);
      }
      simulator.made.set((await simulator.catalog.database(target)).oid, new Date());
    },
    { creates: target },
  );
  return await answer(session, job, options.get('detached') === 'true' ? 'RESTORE detached' : 'RESTORE');
}

export function findBackup(
  all: readonly StoredBackup[],
  place: string,
  subdirectory: string | undefined,
  options: ReadonlyMap<string, string>,
): StoredBackup {
  const normal = (path: string): string => `/${path.replace(/^\//, '')}`;
  const found = all.findLast(
    ({ collection, path }) => collection === place && (subdirectory === undefined || path === normal(subdirectory)),
  );
  if (found === undefined) throw new SqlError('58030', `no backups found in collection at ${place}`);
  if (found.passphrase !== undefined && options.get('encryption_passphrase') !== found.passphrase)
    throw options.has('encryption_passphrase')
      ? new SqlError('22023', 'failed to decrypt: cipher: message authentication failed')
      : new SqlError('22023', 'file appears encrypted -- try specifying one of "encryption_passphrase" or "kms"');
  if (found.kms !== undefined && options.get('kms') !== found.kms)
    throw new SqlError('22023', 'file appears encrypted -- try specifying one of "encryption_passphrase" or "kms"');
  return found;
}

async function controlJobs(session: Session, cursor: Cursor, words: string): Promise<Result> {
  const { jobs, state, sessions } = session.simulator;
  const [verb = '', plural = ''] = words.split(' ');
  if (plural === 'sessions') {
    cursor.accept('if', 'exists');
    const ids = await idsOf(session, cursor);
    for (const other of sessions) if (ids.includes(String(other.id))) other.drop();
    return { tag: `CANCEL SESSIONS ${ids.length}` };
  }
  let ids: string[];
  if (cursor.accept('for', 'schedules') || cursor.accept('for', 'schedule')) {
    const chosen = await idsOf(session, cursor);
    ids = [...state.jobs.values()]
      .filter((job) => job.schedule !== undefined && chosen.includes(job.schedule) && job.finished === undefined)
      .map(({ id }) => id);
  } else ids = await idsOf(session, cursor);
  for (const id of ids) {
    const job = jobs.get(id);
    if (job.user !== session.currentUser && !state.hasOption(session.currentUser, 'CONTROLJOB'))
      throw new SqlError('42501', `user ${session.currentUser} does not have privileges for job ${id}`);
    jobs.control(id, verb as 'pause' | 'resume' | 'cancel');
  }
  return { tag: `${verb.toUpperCase()} JOBS ${ids.length}` };
}
