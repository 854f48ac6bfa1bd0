/** The demo's backup of the claim's database, and its restore beside. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Managed } from '../../provider/api/kind.ts';
import type { RunResult } from '../../provider/backup/contract.ts';
import type { DemoServer } from './servers.ts';
import type { Output } from '../../provider/cli/output.ts';

export interface BackupProof {
  backup: { rows: number; bytes: number; sha256: string; key: string };
  restore: { rows: number; database: string };
}

/** Enough to see that they all come back. */
const ROWS = 10_000;

const externalName = (resource: Managed | undefined): string | undefined =>
  resource?.metadata.annotations?.['crossplane.io/external-name'];

/**
 * @returns undefined where the server makes backups of its own, or the claim has no database.
 * @throws NotAvailableError when there are no tools for it on this machine.
 */
export async function proveBackup(
  server: DemoServer,
  resources: readonly Managed[],
  output: Output,
): Promise<BackupProof | undefined> {
  const { backups } = server;
  const resource = resources.find(({ kind }) => kind === 'Database');
  const database = externalName(resource);
  if (backups === undefined || database === undefined) return undefined;
  output.progress('getting the dump and load tools');
  const tools = await backups.tools();
  // What needs the S3 client is loaded by those who use it.
  const { backup, restore } = await import('../../provider/cli/backup-commands.ts');
  const schema = externalName(resources.find(({ kind }) => kind === 'Schema'));
  const owner = resource?.spec.forProvider['owner'];
  const beside = `${database}_beside`;
  const folder = await mkdtemp(join(tmpdir(), 'xdb-demo-'));
  const results: RunResult[] = [];
  const collecting: Output = { ...output, json: (value) => results.push(value as RunResult) };
  try {
    await backups.fill(database, schema, ROWS);
    await backups.createDatabase(beside, typeof owner === 'string' ? owner : undefined);
    const place = { type: 'filesystem', path: folder, prefix: '' } as const;
    await backup(
      {
        server: backups.url(database),
        to: place,
        namespace: 'demo',
        name: 'demo',
        compression: 'zstd',
        tools,
        json: true,
      },
      collecting,
    );
    await restore(
      {
        server: backups.url(beside),
        from: place,
        database,
        tools,
        json: true,
        ...(typeof owner === 'string' && backups.hasOwners ? { owner } : {}),
      },
      collecting,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const made = results[0]?.backup;
  const counted = results[1]?.countedRows;
  if (made === undefined || counted === undefined) throw new Error('a backup or its restore gave no result');
  return {
    backup: { rows: made.rows ?? 0, bytes: made.storedSize, sha256: made.sha256, key: made.key },
    restore: { rows: counted, database: beside },
  };
}
