/** A kind as CustomResourceDefinition, and its schema in the form that an API server takes ("structural"). */
import { z } from 'zod';
import type { KindDefinition } from './kind.ts';
import { forServer, type ServerRule } from './one-rule.ts';

/** One node of a structural schema. */
export interface JsonSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: { rule: string; message: string }[];
}

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: Record<string, unknown>;
}

/** Order in which the keys of a schema are written: what a reader looks for first. */
const KEYS = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'properties',
  'additionalProperties',
  'items',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
] as const;

type Raw = Record<string, unknown>;

function structural(raw: Raw): JsonSchema {
  if (raw['x-kubernetes-int-or-string'] === true) {
    return {
      ...(typeof raw['description'] === 'string' ? { description: raw['description'] } : {}),
      'x-kubernetes-int-or-string': true,
    };
  }
  const node: Raw = { ...raw };
  // zod writes JavaScript's own limits; a server that counts in 64 bits need not know them.
  if (node['minimum'] === Number.MIN_SAFE_INTEGER) delete node['minimum'];
  if (node['maximum'] === Number.MAX_SAFE_INTEGER) delete node['maximum'];
  if (node['type'] === 'integer') node['format'] = 'int64';
  // The format says the same as the pattern, in words that a user understands.
  if (node['format'] === 'date-time') delete node['pattern'];
  if (node['additionalProperties'] === false) delete node['additionalProperties'];
  if (node['properties'] !== undefined) {
    node['properties'] = Object.fromEntries(
      Object.entries(node['properties'] as Record<string, Raw>).map(([name, child]) => [name, structural(child)]),
    );
  }
  for (const key of ['items', 'additionalProperties']) {
    if (node[key] !== undefined) node[key] = structural(node[key] as Raw);
  }
  const unknown = Object.keys(node).filter((key) => !(KEYS as readonly string[]).includes(key));
  if (unknown.length > 0)
    throw new Error(`a structural schema cannot have ${unknown.join(', ')}: ${JSON.stringify(raw)}`);
  return Object.fromEntries(KEYS.filter((key) => node[key] !== undefined).map((key) => [key, node[key]])) as JsonSchema;
}

/** The structural schema of any object. */
export const toStructural = (schema: z.ZodObject): JsonSchema => {
  const { $schema: _, ...raw } = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Raw;
  return structural(raw);
};

const schemas = new Map<KindDefinition, JsonSchema>();

/** The structural schema of a kind, `apiVersion`, `kind` and `metadata` included. */
export function openApiSchema(kind: KindDefinition): JsonSchema {
  let schema = schemas.get(kind);
  if (schema === undefined) {
    schema = build(kind);
    schemas.set(kind, schema);
  }
  return schema;
}

function build(kind: KindDefinition): JsonSchema {
  const spec = toStructural(kind.spec);
  if (kind.specRules.length > 0)
    spec['x-kubernetes-validations'] = kind.specRules.map(({ rule, message }) => ({ rule, message }));
  const own: JsonSchema = kind.topLevel
    ? { required: spec.required ?? [], properties: spec.properties ?? {} }
    : { required: ['spec'], properties: { spec: { description: `What is wanted of the ${kind.kind}.`, ...spec } } };
  return {
    description: kind.description,
    type: 'object',
    required: own.required ?? [],
    properties: {
      apiVersion: { description: 'Version of this representation of the object.', type: 'string' },
      kind: { description: 'Kind of the object.', type: 'string' },
      metadata: { type: 'object' },
      ...own.properties,
      ...(kind.status === undefined
        ? {}
        : { status: { description: `What was observed of the ${kind.kind}.`, ...toStructural(kind.status) } }),
    },
  };
}

/** The schema as the API server gets it. */
function serverSchema(kind: KindDefinition): object {
  const schema = openApiSchema(kind);
  const spec = schema.properties?.['spec'];
  const forProvider = spec?.properties?.['forProvider'];
  if (!kind.managed || spec === undefined || forProvider === undefined) return schema;
  const rules = forServer(kind.specRules);
  const { 'x-kubernetes-validations': _rules, ...bare } = spec;
  const properties = { ...spec.properties, forProvider: withRules(forProvider, rules.forProvider) };
  return { ...schema, properties: { ...schema.properties, spec: withRules({ ...bare, properties }, rules.spec) } };
}

function withRules(schema: JsonSchema, rules: readonly ServerRule[]): JsonSchema {
  const { 'x-kubernetes-validations': own = [], ...bare } = schema;
  const all = [...own, ...rules];
  return all.length === 0 ? bare : { ...bare, 'x-kubernetes-validations': all };
}

/** The CustomResourceDefinition of a kind. */
export const toCrd = (kind: KindDefinition): CustomResourceDefinition => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.plural}.${kind.group}` },
  spec: {
    group: kind.group,
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural: kind.plural,
      singular: kind.singular,
      ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
      categories: kind.categories,
    },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    versions: [
      {
        name: kind.version,
        served: true,
        storage: true,
        additionalPrinterColumns: kind.columns,
        schema: { openAPIV3Schema: serverSchema(kind) },
        ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
      },
    ],
  },
});
