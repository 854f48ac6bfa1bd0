/** What an API server does with a structural schema: fill in defaults, refuse what does not fit. */
import { compile, isTransition } from './cel.ts';
import type { JsonSchema } from './crd.ts';

/** One thing that is wrong, with the path of the field and what would be right. */
export interface Problem {
  path: string;
  message: string;
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The schema of a field. A field may be called like something that every object has, e.g. constructor. */
const childOf = ({ properties, additionalProperties }: JsonSchema, name: string): JsonSchema | undefined =>
  properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : additionalProperties;

/** A copy of the value in which every missing field that has a default is there. Defaults are filled from the outside in. */
export function withDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value))
    return schema.items === undefined ? value : value.map((item) => withDefaults(schema.items ?? {}, item));
  if (!isObject(value)) return value;
  const result: Fields = { ...value };
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (result[name] === undefined) delete result[name];
    if (!(name in result) && child.default !== undefined) result[name] = structuredClone(child.default);
  }
  for (const [name, item] of Object.entries(result)) {
    const child = childOf(schema, name);
    if (child !== undefined) result[name] = withDefaults(child, item);
  }
  return result;
}

/** Quotes a value for a message, shortened. */
function shown(value: unknown): string {
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isSafeInteger(value)) return 'integer';
  return typeof value;
};

const ARTICLE: Record<string, string> = {
  object: 'an object',
  array: 'a list',
  integer: 'an integer',
  string: 'a string',
  boolean: 'true or false',
  number: 'a number',
};

/** The names closest to a misspelt one come first, so that a long list is still of use. */
function allowedFields(name: string, properties: Record<string, JsonSchema>): string {
  const common = (other: string): number => {
    let length = 0;
    while (length < name.length && name[length]?.toLowerCase() === other[length]?.toLowerCase()) length++;
    return length;
  };
  return Object.keys(properties)
    .toSorted((a, b) => common(b) - common(a))
    .join(', ');
}

const bounds = (value: number, what: string, min: number | undefined, max: number | undefined): string | undefined => {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return undefined;
  if (min !== undefined && max !== undefined) return `${what}; allowed: ${min} to ${max}`;
  return min === undefined ? `${what}; allowed: at most ${max}` : `${what}; allowed: at least ${min}`;
};

/**
 * Everything that is wrong with a value, defaults filled in before.
 * @param old The value before a change: rules about changes are checked when it is given.
 */
export function problems(schema: JsonSchema, value: unknown, path: string, old?: unknown): Problem[] {
  const at = (message: string): Problem[] => [{ path, message }];
  if (schema['x-kubernetes-int-or-string'] === true) {
    return ['integer', 'string'].includes(typeOf(value)) ? [] : at(`${shown(value)} is not an integer or a string`);
  }
  const type = typeOf(value);
  if (schema.type !== undefined && type !== schema.type && !(schema.type === 'number' && type === 'integer')) {
    return at(`${shown(value)} is not ${ARTICLE[schema.type] ?? schema.type}`);
  }
  const found: Problem[] = [];
  const own = scalar(schema, value);
  if (own !== undefined) found.push({ path, message: own });
  if (Array.isArray(value)) found.push(...list(schema, value, path));
  if (isObject(value)) found.push(...object(schema, value, path, old));
  // A rule may rely on the shape: it is asked only when that is right, as an API server does.
  return found.length > 0 ? found : rules(schema, value, path, old);
}

function scalar(schema: JsonSchema, value: unknown): string | undefined {
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return `${shown(value)} is not allowed; allowed: ${schema.enum.join(', ')}`;
  if (typeof value === 'number') return bounds(value, `${value} is out of range`, schema.minimum, schema.maximum);
  if (typeof value !== 'string') return undefined;
  if (schema.minLength === 1 && value === '') return 'must not be empty';
  if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)) {
    return `${shown(value)} is not a time; allowed: RFC 3339, e.g. 2026-01-31T12:00:00Z`;
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    return `${shown(value)} is not allowed; allowed: what matches ${schema.pattern}`;
  }
  // A character takes at most two of JavaScript's, so a text that is far too long need not be taken apart.
  const length =
    value.length > 2 * (schema.maxLength ?? Number.POSITIVE_INFINITY) ? value.length : Array.from(value).length;
  return bounds(length, `${shown(value)} has ${length} characters`, schema.minLength, schema.maxLength);
}

function list(schema: JsonSchema, value: unknown[], path: string): Problem[] {
  const length = bounds(value.length, `has ${value.length} items`, schema.minItems, schema.maxItems);
  // A list that is far too long is refused as a whole.
  if (length !== undefined) return [{ path, message: length }];
  const found = value.flatMap((item, index) => problems(schema.items ?? {}, item, `${path}[${index}]`));
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] === 'set' || keys !== undefined) {
    const identities = value.map((item) =>
      JSON.stringify(keys === undefined ? item : keys.map((key) => (item as Fields)?.[key])),
    );
    for (const [index, identity] of identities.entries()) {
      if (identities.indexOf(identity) < index)
        found.push({ path: `${path}[${index}]`, message: `${shown(value[index])} is there twice` });
    }
  }
  return found;
}

function object(schema: JsonSchema, value: Fields, path: string, old: unknown): Problem[] {
  const found: Problem[] = [];
  const before: Fields = isObject(old) ? old : {};
  const child = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) {
    if (!(name in value)) found.push({ path: child(name), message: 'is required' });
  }
  for (const [name, item] of Object.entries(value)) {
    const known = childOf(schema, name);
    if (known !== undefined) found.push(...problems(known, item, child(name), before[name]));
    else if (schema.properties !== undefined) {
      found.push({ path: child(name), message: `is not a field; allowed: ${allowedFields(name, schema.properties)}` });
    }
  }
  const count = bounds(
    Object.keys(value).length,
    `has ${Object.keys(value).length} entries`,
    schema.minProperties,
    schema.maxProperties,
  );
  if (count !== undefined) found.push({ path, message: count });
  return found;
}

function rules(schema: JsonSchema, value: unknown, path: string, old: unknown): Problem[] {
  return (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => {
      if (isTransition(rule) && old === undefined) return false;
      try {
        return !compile(rule)({ self: value, oldSelf: old });
      } catch (error) {
        // A rule that cannot be answered refuses, as it does on an API server.
        if (error instanceof SyntaxError) throw error;
        return true;
      }
    })
    .map(({ message }) => ({ path, message: typeof value === 'string' ? `${shown(value)} ${message}` : message }));
}
