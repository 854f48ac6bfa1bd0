/** Settings of new sessions: comparing one as a person writes it with the way the server keeps it. */
import { invalidSpec } from '../common/errors.ts';
import type { Setting } from './model/databases.ts';

/** Settings whose value is a list of names: the server stores each name quoted when it needs to be. */
const LISTS: ReadonlySet<string> = new Set([
  'search_path',
  'session_preload_libraries',
  'local_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

export interface SettingChange {
  setting: string;
  /** null = back to the server's default. */
  value: string | null;
}

/**
 * The changes that give `wanted`. Of the settings that are not wanted only those in `resettable` are reset. Names are
 * compared without regard to case, as servers do.
 */
export function settingChanges(
  wanted: readonly Setting[],
  observed: readonly Setting[],
  resettable: readonly string[],
): SettingChange[] {
  const held = new Map(observed.map(({ name, value }) => [name.toLowerCase(), { name, value }]));
  const changes = wanted
    .filter(({ name, value }) => !isSameSetting(name, value, held.get(name.toLowerCase())?.value))
    .map(({ name, value }): SettingChange => ({ setting: name, value }));
  const kept = new Set(wanted.map(({ name }) => name.toLowerCase()));
  for (const key of new Set(resettable.map((name) => name.toLowerCase()))) {
    const setting = held.get(key)?.name;
    if (setting !== undefined && !kept.has(key)) changes.push({ setting, value: null });
  }
  return changes;
}

/** Throws InvalidSpec for a setting that is given twice: which of the two is meant? Two spellings are one setting. */
export function refuseRepeatedSettings(wanted: readonly Setting[], path: string): void {
  const seen = new Map<string, string>();
  for (const { name } of wanted) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined)
      throw invalidSpec(`${path}: ${JSON.stringify(other)} and ${JSON.stringify(name)} are one setting; give it once`);
    seen.set(name.toLowerCase(), name);
  }
}

/** Whether the server has that value already. */
export function isSameSetting(name: string, wanted: string, observed: string | undefined): boolean {
  if (observed === undefined) return false;
  if (wanted === observed) return true;
  return isListSetting(name) && JSON.stringify(items(wanted)) === JSON.stringify(items(observed));
}

/** Whether the value of the setting is a list, whose items are quoted one by one (GUC_LIST_QUOTE). */
export const isListSetting = (name: string): boolean => LISTS.has(name.toLowerCase());

/**
 * Items of a list such as `"$user", public`, without quotes; unquoted ones are lower case, as in SQL, and commas inside
 * double quotes do not separate. A text that is no such list is one item.
 */
export function splitList(value: string): string[] {
  const found: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/gy;
  while (pattern.lastIndex < value.length) {
    const match = pattern.exec(value);
    if (match === null) return [value];
    found.push(match[1] === undefined ? (match[2] ?? '').trim().toLowerCase() : match[1].replaceAll('""', '"'));
  }
  return found;
}

/** As the server keeps a list: an empty one and one of a single empty name are the same. */
export function items(value: string): string[] {
  const found = splitList(value);
  return found.length === 1 && found[0] === '' ? [] : found;
}
