/** Values of results, whose types differ between versions. */
import type { Setting } from '../../resources/model/databases.ts';

/** An array, or a text of one: `{a,"b c"}` or, in older versions, `a, b`. */
export function textArray(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== 'string') return [];
  const inner = /^\{(.*)\}$/s.exec(value)?.[1] ?? value;
  return [...inner.matchAll(/\s*(?:"((?:[^"\\]|\\.)*)"|([^,]+))\s*(?:,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? (plain ?? '').trim(),
  );
}

/** BOOL, or YES and NO as information_schema has it. */
export const truth = (value: unknown): boolean => value === true || value === 't' || value === 'YES';

/** `name=value` pairs; a value may hold further `=`. */
export const settingsOf = (value: unknown): Setting[] =>
  textArray(value).map((pair) => {
    const at = pair.indexOf('=');
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
