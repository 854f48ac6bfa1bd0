/** What an object gets when it is made. */
import type { Managed } from '../api/kind.ts';

/** forProvider over initProvider, which counts for creation only. Lists are taken whole, objects field by field. */
export const forCreation = <T extends object>(resource: Managed<T>): T =>
  merged(resource.spec.initProvider ?? {}, resource.spec.forProvider) as T;

function merged(under: object, over: object): Record<string, unknown> {
  const all: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over) as [string, unknown][]) {
    const below = all[key];
    if (value !== undefined) all[key] = isPlain(below) && isPlain(value) ? merged(below, value) : value;
  }
  return all;
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Without the keys whose value is undefined. */
export const defined = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<{
    [K in keyof T]: Exclude<T[K], undefined>;
  }>;
