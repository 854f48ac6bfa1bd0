/**
 * How the record of what was applied is written into its annotation. All annotations of an object together may have 256
 * KiB, and a Grant may name thousands of tables: entries that differ in nothing but a name are written as one.
 *
 *   [{"target": {"type": "table", "name": "a"}, …}, {"target": {"type": "table", "name": "b"}, …}]
 *   [{"target": {"type": "table", "names": ["a", "b"]}, …}]
 */

interface Entry {
  target: Record<string, unknown>;
  [field: string]: unknown;
}

export const encodeRecord = (record: unknown): string =>
  JSON.stringify(Array.isArray(record) ? packed(record) : record);

/** Throws SyntaxError for a text that is no JSON. */
export function decodeRecord(text: string): unknown {
  const record = JSON.parse(text) as unknown;
  return Array.isArray(record) ? record.flatMap(unpacked) : record;
}

function packed(entries: readonly unknown[]): unknown[] {
  const groups = Map.groupBy(entries, (entry) => {
    if (!isEntry(entry) || typeof entry.target['name'] !== 'string') return Symbol('alone');
    const { name: _, ...target } = entry.target;
    return JSON.stringify({ ...entry, target });
  });
  return [...groups.values()].map((group) => {
    const [first] = group;
    if (group.length === 1 || !isEntry(first)) return first;
    const { name: _, ...target } = first.target;
    return { ...first, target: { ...target, names: group.map((entry) => (entry as Entry).target['name']) } };
  });
}

/** An annotation may have been edited by hand: what is not of this form is left as it is. */
function unpacked(entry: unknown): unknown[] {
  const names = isEntry(entry) ? entry.target['names'] : undefined;
  if (!isEntry(entry) || !Array.isArray(names)) return [entry];
  const { names: _, ...target } = entry.target;
  return names.map((name: unknown) => ({ ...entry, target: { ...target, name } }));
}

const isEntry = (value: unknown): value is Entry => isObject(value) && isObject(value['target']);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
