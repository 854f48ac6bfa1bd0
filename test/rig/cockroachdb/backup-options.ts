/** WITH lists of BACKUP, RESTORE and schedules, read and written. */
import type { BackupSpec } from './state.ts';
import type { Cursor } from './tokens.ts';
import { SqlError } from './wire.ts';

const BACKUP = [
  'encryption_passphrase',
  'revision_history',
  'detached',
  'kms',
  'execution locality',
  'include_all_virtual_clusters',
  'updates_cluster_monitoring_metrics',
  'strict storage locality',
  'incremental_location',
];
const RESTORE = [
  'detached',
  'encryption_passphrase',
  'kms',
  'new_db_name',
  'into_db',
  'skip_missing_foreign_keys',
  'skip_missing_sequences',
  'skip_missing_sequence_owners',
  'skip_missing_views',
  'skip_missing_udfs',
  'skip_localities_check',
  'schema_only',
  'verify_backup_table_data',
  'execution locality',
  'remove_regions',
  'grants',
];
const TEXTS = new Set([
  'encryption_passphrase',
  'kms',
  'new_db_name',
  'into_db',
  'execution locality',
  'incremental_location',
]);

export function withOptions(cursor: Cursor, kind: 'BACKUP' | 'RESTORE', version: number): Map<string, string> {
  const options = new Map<string, string>();
  // WITH SCHEDULE OPTIONS is another clause.
  if (cursor.tokens[cursor.at + 1]?.text === 'schedule' || !cursor.accept('with')) return options;
  const isList = cursor.accept('options');
  if (isList) cursor.expect('(');
  for (const [name, value] of cursor.list(() => option(cursor, kind === 'BACKUP' ? BACKUP : RESTORE))) {
    if (options.has(name)) throw new SqlError('42601', `${name} specified multiple times`);
    if (name === 'incremental_location' && version >= 260_200)
      throw new SqlError('0A000', 'the incremental_location option is no longer supported');
    if (name === 'grants' && version < 260_200) throw cursor.error();
    options.set(name, value);
  }
  if (isList) cursor.expect(')');
  if (options.has('encryption_passphrase') && options.has('kms'))
    throw new SqlError('22023', 'cannot have both encryption_passphrase and kms option set');
  return options;
}

export function option(cursor: Cursor, allowed: readonly string[] = BACKUP): [string, string] {
  const name = allowed.find((candidate) => cursor.accept(...candidate.split(' ')));
  if (name === undefined) throw cursor.error();
  if (!cursor.accept('=')) {
    if (TEXTS.has(name)) throw cursor.error();
    return [name, 'true'];
  }
  if (TEXTS.has(name)) {
    if (!cursor.accept('(')) return [name, cursor.string()];
    const all = cursor.list(() => cursor.string());
    cursor.expect(')');
    return [name, all.join(',')];
  }
  const value = cursor.oneOf('true', 'false');
  if (value === undefined) throw cursor.error();
  return [name, value];
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The statement as jobs and schedules show it: secrets are stars. */
export function describe(spec: BackupSpec, into: string, extra: readonly string[] = []): string {
  const what = spec.databases === undefined ? '' : ` DATABASE ${spec.databases.map(word).join(', ')}`;
  const options = [...spec.options]
    .filter(([name]) => name !== 'detached')
    .map(([name, value]) => {
      if (name === 'encryption_passphrase') return `${name} = '*****'`;
      return TEXTS.has(name) ? `${name} = ${literal(value)}` : `${name} = ${value}`;
    });
  const all = [...options, ...extra];
  return `BACKUP${what} INTO ${into}${all.length === 0 ? '' : ` WITH OPTIONS (${all.join(', ')})`}`;
}

export const word = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

export const quotedText = literal;
