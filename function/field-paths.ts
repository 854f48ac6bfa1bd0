/** Where the fields of a claim are in an XRD of the platform's own. */
import { z } from 'zod';
import { matching } from '../provider/api/text.ts';
import { ClaimError } from './errors.ts';

const PATH = /^[A-Za-z][A-Za-z0-9_-]*([.][A-Za-z0-9_-]+)*$/;
const WORDS = 'must be names of fields with dots between, e.g. spec.parameters.size';
const path = (what: string) => matching(PATH, WORDS, 256).describe(what);

const values = z
  .record(z.string(), z.string())
  .optional()
  .describe('What its values mean here, e.g. ro: readOnly. A value that is not listed is taken as it is.');

const item = z.object({
  field: path('Field of an entry, e.g. access.'),
  from: path('Where it is in an entry of the list, e.g. mode.'),
  values,
});

const byField = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['field'] } as const;

const fieldPath = z.object({
  field: path('Field of the spec of an XDatabase, e.g. database.connectionLimit.'),
  from: path('Where it is in the composite, e.g. spec.parameters.connections.'),
  values,
  items: z
    .array(item)
    .max(32)
    .meta(byField)
    .optional()
    .describe('For a list whose entries have fields of other names; only these are then read.'),
});

export const fieldPaths = z
  .array(fieldPath)
  .max(64)
  .meta(byField)
  .optional()
  .describe(
    'For composites of another kind than XDatabase: where each field of a claim is. Only these are then read, and everything else in the composite is the concern of the platform.',
  );

export const statusPath = matching(
  /^status([.][A-Za-z][A-Za-z0-9_-]*)*$/,
  'must be status, or fields below it with dots between, e.g. status.database',
  256,
)
  .default('status')
  .describe('Where in the composite the status goes.');

type FieldPath = z.output<typeof fieldPath>;
type Item = z.output<typeof item>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a path; undefined when something on the way is missing. */
export const valueAt = (root: unknown, where: string): unknown =>
  where
    .split('.')
    .reduce<unknown>((at, name) => (isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined), root);

/** Paths have no names that objects inherit, as these begin with _ or are no own fields. */
export function setAt(root: Record<string, unknown>, where: string, value: unknown): void {
  const names = where.split('.');
  const last = names.pop() ?? '';
  let at = root;
  for (const name of names) {
    const next = Object.hasOwn(at, name) ? at[name] : undefined;
    const child = isObject(next) ? { ...next } : {};
    define(at, name, child);
    at = child;
  }
  define(at, last, value);
}

const define = (object: Record<string, unknown>, name: string, value: unknown): void => {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
};

const meaning = (value: unknown, map: Item['values']): unknown =>
  typeof value === 'string' && map !== undefined && Object.hasOwn(map, value) ? map[value] : value;

function entryOf(entry: unknown, items: readonly Item[]): unknown {
  if (!isObject(entry)) return entry;
  const result: Record<string, unknown> = {};
  for (const { field, from, values: map } of items) {
    const value = valueAt(entry, from);
    if (value !== undefined) setAt(result, field, meaning(value, map));
  }
  return result;
}

/** The spec of a claim, gathered from the composite. */
export function gather(composite: unknown, paths: readonly FieldPath[]): Record<string, unknown> {
  const spec: Record<string, unknown> = {};
  for (const { field, from, values: map, items } of paths) {
    const value = valueAt(composite, from);
    if (value === undefined) continue;
    const read = items !== undefined && Array.isArray(value) ? value.map((entry) => entryOf(entry, items)) : value;
    setAt(spec, field, meaning(read, map));
  }
  return spec;
}

/** Runs `work`; a field of the claim that is wrong is named as the composite calls it. */
export function withOwnNames<T>(paths: readonly FieldPath[] | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (paths === undefined || !(error instanceof ClaimError)) throw error;
    throw new ClaimError(ownName(error.path, paths), error.detail);
  }
}

const below = (where: string, prefix: string): string | undefined =>
  where === prefix || where.startsWith(`${prefix}.`) || where.startsWith(`${prefix}[`)
    ? where.slice(prefix.length)
    : undefined;

function longest<T extends { field: string }>(
  where: string,
  entries: readonly T[],
): { entry: T; rest: string } | undefined {
  return entries
    .flatMap((entry) => {
      const rest = below(where, entry.field);
      return rest === undefined ? [] : [{ entry, rest }];
    })
    .toSorted((a, b) => b.entry.field.length - a.entry.field.length)[0];
}

function ownName(where: string, paths: readonly FieldPath[]): string {
  const field = below(where, 'spec')?.slice(1);
  if (field === undefined) return where;
  const found = longest(field, paths);
  if (found === undefined) return where;
  const { entry, rest } = found;
  const [, index, inner] = /^(\[\d+\])\.?(.*)$/.exec(rest) ?? [];
  if (entry.items === undefined || index === undefined || inner === undefined || inner === '')
    return `${entry.from}${rest}`;
  const item = longest(inner, entry.items);
  return item === undefined ? `${entry.from}${index}.${inner}` : `${entry.from}${index}.${item.entry.from}${item.rest}`;
}
