/** Values of ALTER … SET: some settings are lists, whose items must be quoted one by one. */
import { join, literal, type Sql } from '../sql.ts';

/** GUC_LIST_QUOTE settings of PostgreSQL: the server stores each item quoted, and a list as one literal would be one item. */
const LISTS: ReadonlySet<string> = new Set([
  'search_path',
  'session_preload_libraries',
  'local_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

export const isListSetting = (name: string): boolean => LISTS.has(name.toLowerCase());

export const settingValue = (name: string, value: string): Sql =>
  isListSetting(name) && value.trim() !== '' ? join(splitList(value).map(literal)) : literal(value);

/** Items of a list such as `"$user", public`, unquoted; commas inside double quotes do not separate. */
export function splitList(value: string): string[] {
  const items: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/gy;
  let end = 0;
  while (end < value.length) {
    pattern.lastIndex = end;
    const match = pattern.exec(value);
    if (match === null) return [value];
    items.push(match[1] === undefined ? (match[2] ?? '').trim().toLowerCase() : match[1].replaceAll('""', '"'));
    end = pattern.lastIndex;
  }
  return items;
}
