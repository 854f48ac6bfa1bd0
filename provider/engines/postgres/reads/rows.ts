/** Small conversions that several reads share. */
import type { Setting } from '../../../resources/model/databases.ts';

/** `{key: value}` unless the column is NULL; for columns of text. */
export const text = <K extends string>(key: K, value: unknown): { [P in K]?: string } =>
  (typeof value === 'string' ? { [key]: value } : {}) as { [P in K]?: string };

/** `name=value` pairs of pg_db_role_setting; a value may hold further `=`. */
export function settingsOf(value: unknown): Setting[] {
  if (!Array.isArray(value)) return [];
  return (value as string[]).map((pair) => {
    const at = pair.indexOf('=');
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
}
