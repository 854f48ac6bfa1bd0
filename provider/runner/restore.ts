import { readFileSync } from 'node:fs';
import { parseIdentities } from '../backup/age.ts';
import { chooseBackup } from '../backup/catalogue.ts';
import type { RequestOf } from '../backup/contract.ts';
import { formats } from '../backup/dumps/formats.ts';
import { RunError } from '../backup/errors.ts';
import { type Manifest, markVerified, storedBackup, type TableRows } from '../backup/manifest.ts';
import { openStorage } from '../backup/open-storage.ts';
import type { Storage } from '../backup/storage.ts';
import { Meeting } from './meeting.ts';
import type { Outcome } from './outcome.ts';
import type { RunContext } from './progress.ts';
import { StoredDump } from './stored-dump.ts';

/**
 * Loads one backup. The whole of it is read and checked before the load tool gets its first byte, and checked once more
 * while it is loaded, before the tool learns that it has all.
 */
export async function restore(request: RequestOf<'restore'>, context: RunContext): Promise<Outcome> {
  const meeting = new Meeting(request.tool.folder);
  let storage: Storage | undefined;
  try {
    context.onProgress({ phase: 'waiting', bytes: 0 });
    // First of all: a tool that nobody meets would wait.
    await meeting.join(context.signal);
    storage = openStorage(request.storage);
    const manifest = await chooseBackup(storage, request.source, context.signal);
    const stored = new StoredDump(storage, manifest, identitiesOf(request, manifest));
    const rows = await stored.check(context);
    const { body, entries, skipped } = await formats[manifest.engine].loadable(stored.read('loading', context));
    if (entries !== undefined) await meeting.choose(entries);
    await meeting.load(body, context.signal);
    const counted = await meeting.rows();
    if (request.verify) await verified(storage, manifest, counted, context.signal);
    return {
      backup: storedBackup(manifest, request.verify ? true : undefined),
      loaded: { size: manifest.size, ...(rows === undefined ? {} : { rows: rows.total }) },
      ...(counted === undefined ? {} : { countedRows: counted.reduce((sum, table) => sum + table.rows, 0) }),
      ...(skipped.length === 0 ? {} : { skipped }),
    };
  } finally {
    meeting.leave();
    storage?.close();
  }
}

function identitiesOf(request: RequestOf<'restore'>, manifest: Manifest): string[] {
  if (manifest.recipients.length === 0) return [];
  if (request.identityFile === undefined)
    throw new RunError('IdentityMissing', `${manifest.key} is encrypted, and no identity was given to read it with`);
  try {
    return parseIdentities(readFileSync(request.identityFile, 'utf8'));
  } catch (error) {
    if (error instanceof RunError) throw error;
    throw new RunError('IdentityMissing', `the identity cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Compares what the server has with what was dumped, where both were counted. */
async function verified(
  storage: Storage,
  manifest: Manifest,
  counted: TableRows['tables'] | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (manifest.rows !== undefined && counted !== undefined) {
    // MySQL's tables are counted below the name of the database that they were loaded into.
    const withSchema = manifest.rows.tables.some(({ schema }) => schema !== '');
    const nameOf = ({ schema, table }: { schema: string; table: string }): string =>
      JSON.stringify(withSchema ? [schema, table] : [table]);
    const dumped = new Map(manifest.rows.tables.map((table) => [nameOf(table), table.rows]));
    const found = new Map(counted.map((table) => [nameOf(table), table.rows]));
    const different = [...new Set([...dumped.keys(), ...found.keys()])].filter(
      (name) => (dumped.get(name) ?? 0) !== (found.get(name) ?? 0),
    );
    const first = different[0];
    if (first !== undefined)
      throw new RunError(
        'RowsDiffer',
        `after loading ${manifest.key}, ${different.length} tables differ from the dump: ${first} has ${found.get(first) ?? 'no'} rows and had ${dumped.get(first) ?? 'no'}`,
      );
  }
  await markVerified(storage, manifest, signal);
}
