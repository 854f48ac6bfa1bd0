/** Which privileges each kind of object has, by version, and how lists of them change. */
import type { Held } from './state.ts';
import { SqlError } from './wire.ts';

export type Level =
  | 'database'
  | 'schema'
  | 'table'
  | 'sequence'
  | 'type'
  | 'routine'
  | 'external_connection'
  | 'system';

const TABLE = [
  'BACKUP',
  'CHANGEFEED',
  'CREATE',
  'DELETE',
  'DROP',
  'INSERT',
  'SELECT',
  'TRIGGER',
  'UPDATE',
  'ZONECONFIG',
];
const TABLE_252 = ['BYPASSRLS', 'REPLICATIONDEST', 'REPLICATIONSOURCE'];

/** Names of one privilege. */
const SAME: Readonly<Record<string, string>> = { REPAIRCLUSTERMETADATA: 'REPAIRCLUSTER' };
export const plain = (privilege: string): string => SAME[privilege.toUpperCase()] ?? privilege.toUpperCase();

export function privilegesOf(level: Level, version: number): string[] {
  switch (level) {
    case 'database':
      return ['BACKUP', 'CONNECT', 'CREATE', 'DROP', 'RESTORE', 'ZONECONFIG'];
    case 'schema':
      return ['CREATE', 'USAGE'];
    case 'table':
      return [...TABLE, ...(version >= 250_200 ? TABLE_252 : []), ...(version >= 260_200 ? ['MAINTAIN'] : [])].sort();
    case 'sequence':
      return ['CREATE', 'DELETE', 'DROP', 'INSERT', 'SELECT', 'UPDATE', 'USAGE', 'ZONECONFIG'];
    case 'type':
      return ['USAGE'];
    case 'routine':
      return ['EXECUTE'];
    case 'external_connection':
      return ['DROP', ...(version >= 250_400 ? ['UPDATE'] : []), 'USAGE'];
    case 'system':
      return [
        'BACKUP',
        'CANCELQUERY',
        'CONTROLJOB',
        'CREATEDB',
        'CREATELOGIN',
        'CREATEROLE',
        'EXTERNALCONNECTION',
        'EXTERNALIOIMPLICITACCESS',
        ...(version >= 260_100 ? ['INSPECT'] : []),
        'MODIFYCLUSTERSETTING',
        'MODIFYSQLCLUSTERSETTING',
        'NOSQLLOGIN',
        'REPAIRCLUSTER',
        'REPLICATION',
        'RESTORE',
        'VIEWACTIVITY',
        'VIEWACTIVITYREDACTED',
        'VIEWCLUSTERMETADATA',
        'VIEWCLUSTERSETTING',
        'VIEWDEBUG',
        'VIEWJOB',
        'VIEWSYSTEMTABLE',
      ];
  }
}

export function check(privileges: readonly string[], level: Level, version: number): void {
  const known = new Set([...privilegesOf(level, version), 'ALL']);
  for (const privilege of privileges)
    if (!known.has(privilege))
      throw new SqlError('0LP01', `invalid privilege type ${privilege} for ${level.replace('_', ' ')}`);
}

export function grant(held: Held, privileges: readonly string[], withOption: boolean): void {
  if (privileges.includes('ALL')) {
    const option = withOption || held.get('ALL') === true;
    held.clear();
    held.set('ALL', option);
    return;
  }
  if (held.has('ALL') && (!withOption || held.get('ALL') === true)) return;
  for (const privilege of privileges) held.set(privilege, withOption || held.get(privilege) === true);
}

/** One privilege taken from a holder of ALL leaves the others, by name. */
export function revoke(held: Held, privileges: readonly string[], optionOnly: boolean, all: readonly string[]): void {
  if (privileges.includes('ALL')) {
    if (optionOnly) for (const privilege of held.keys()) held.set(privilege, false);
    else held.clear();
    return;
  }
  const whole = held.get('ALL');
  if (whole !== undefined) {
    held.delete('ALL');
    for (const privilege of all) held.set(privilege, whole);
  }
  for (const privilege of privileges)
    if (optionOnly && held.has(privilege)) held.set(privilege, false);
    else if (!optionOnly) held.delete(privilege);
}

/** What PostgreSQL has of them. */
const NATIVE: Readonly<Partial<Record<Level, readonly string[]>>> = {
  database: ['CONNECT', 'CREATE'],
  schema: ['CREATE', 'USAGE'],
  table: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  sequence: ['USAGE', 'SELECT', 'UPDATE'],
  type: ['USAGE'],
  routine: ['EXECUTE'],
};

export const nativeOf = (level: Level, held: Held): string[] =>
  (NATIVE[level] ?? []).filter((privilege) => held.has('ALL') || held.has(privilege));
