/** Comparing a setting as a person writes it with the way the server keeps it. */

/** Settings whose value is a list of names: the server stores each name quoted when it needs to be. */
const LISTS: ReadonlySet<string> = new Set([
  'search_path',
  'session_preload_libraries',
  'local_preload_libraries',
  'temp_tablespaces',
]);

/** Whether the server has that value already. */
export function isSameSetting(name: string, wanted: string, observed: string | undefined): boolean {
  if (observed === undefined) return false;
  if (wanted === observed) return true;
  return LISTS.has(name.toLowerCase()) && JSON.stringify(items(wanted)) === JSON.stringify(items(observed));
}

/** Names of a list such as `"$user", public`, without quotes; unquoted names are lower case, as in SQL. */
export function items(value: string): string[] {
  const found: string[] = [];
  for (const match of value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,"]+))\s*(?:,|$)/g))
    found.push(match[1] === undefined ? (match[2] ?? '').trim().toLowerCase() : match[1].replaceAll('""', '"'));
  return found;
}
