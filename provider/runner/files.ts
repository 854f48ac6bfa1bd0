/** The actions that only look at files or delete them. */
import { backupsOf, chooseBackup, prune as pruneFiles, removeAll } from '../backup/catalogue.ts';
import type { RequestOf } from '../backup/contract.ts';
import { isVerified, storedBackup } from '../backup/manifest.ts';
import { openStorage } from '../backup/open-storage.ts';
import type { Storage } from '../backup/storage.ts';
import type { Outcome } from './outcome.ts';
import type { RunContext } from './progress.ts';

/** More do not fit into a termination message. */
const LISTED = 100;

async function using<T>(
  request: { storage: Parameters<typeof openStorage>[0] },
  work: (storage: Storage) => Promise<T>,
) {
  const storage = openStorage(request.storage);
  try {
    return await work(storage);
  } finally {
    storage.close();
  }
}

export const prune = (request: RequestOf<'prune'>, { signal }: RunContext): Promise<Outcome> =>
  using(request, async (storage) => {
    const { pruned, refused } = await pruneFiles(storage, request.owner, request.retention, signal);
    if (refused !== undefined) throw refused.error;
    return { pruned, prunedCount: pruned.length };
  });

export const latest = (request: RequestOf<'latest'>, { signal }: RunContext): Promise<Outcome> =>
  using(request, async (storage) => {
    const manifest = await chooseBackup(storage, request.source, signal);
    return { backup: storedBackup(manifest, await isVerified(storage, manifest, signal)) };
  });

export const list = (request: RequestOf<'list'>, { signal }: RunContext): Promise<Outcome> =>
  using(request, async (storage) => {
    const backups = await backupsOf(storage, request.source, signal);
    return { backups: backups.slice(0, LISTED).map(({ manifest }) => storedBackup(manifest)) };
  });

export const remove = (request: RequestOf<'delete'>, { signal }: RunContext): Promise<Outcome> =>
  using(request, async (storage) => {
    const removed = await removeAll(storage, request.owner, signal);
    return { pruned: removed, prunedCount: removed.length };
  });
