/** Reference pages in Markdown, made from the schemas: what is documented is what an API server enforces. */
import { type JsonSchema, openApiSchema } from '../provider/api/crd.ts';
import { apiVersion, type KindDefinition } from '../provider/api/kind.ts';

interface Row {
  path: string;
  required: boolean;
  schema: JsonSchema;
}

/** Text that stands in a table cell and means nothing to Markdown. */
const cell = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('|', '\\|')
    .replaceAll('*', '\\*')
    .replaceAll(/\s*\n\s*/g, ' ');

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

/** A reference or a selector has the same fields everywhere; the index page describes them once. */
const isReference = (schema: JsonSchema): boolean => schema.properties?.['policy'] !== undefined;

function typeName(schema: JsonSchema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (isReference(schema)) {
    return schema.properties?.['name'] === undefined
      ? '[selector](README.md#references)'
      : '[reference](README.md#references)';
  }
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  if (schema.additionalProperties !== undefined) return `map of ${typeName(schema.additionalProperties)}`;
  return schema.format === 'date-time' ? 'time (RFC 3339)' : (schema.type ?? 'any');
}

/** The fields below a node, depth first, in the order of the schema. */
function rows(schema: JsonSchema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const row = { path, required: schema.required?.includes(name) ?? false, schema: child };
    if (isReference(child) || name === 'initProvider') return [row];
    const inner = child.type === 'array' ? rows(child.items ?? {}, `${path}[]`) : rows(child, path);
    return [row, ...inner];
  });
}

const range = (min: number | undefined, max: number | undefined, what: string): string[] => {
  if (min === undefined && max === undefined) return [];
  if (min === undefined) return [`At most ${max}${what}.`];
  return [max === undefined ? `At least ${min}${what}.` : `${min} to ${max}${what}.`];
};

function limits(schema: JsonSchema): string[] {
  const values = schema.enum ?? schema.items?.enum;
  return [
    ...(values === undefined ? [] : [`One of ${values.map((value) => code(String(value))).join(', ')}.`]),
    ...range(schema.minimum, schema.maximum, ''),
    ...range(schema.minLength === 1 ? undefined : schema.minLength, schema.maxLength, ' characters'),
    ...range(schema.minItems, schema.maxItems, ' items'),
    ...range(schema.minProperties, schema.maxProperties, ' entries'),
  ];
}

function describe({ path, schema }: Row): string {
  const rules = [schema, schema.items ?? {}].flatMap((node) => node['x-kubernetes-validations'] ?? []);
  const sentences = rules.map(({ message }) => cell(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`));
  const same = path.endsWith('initProvider')
    ? ['The same fields as forProvider, none required and without defaults.']
    : [];
  return [cell(schema.description ?? ''), ...same, ...sentences, ...limits(schema)]
    .filter((text) => text !== '')
    .join(' ');
}

function table(list: Row[]): string {
  const lines = list.map((row) => {
    const preset = row.schema.default === undefined ? '' : code(JSON.stringify(row.schema.default));
    return `| ${code(row.path)} | ${typeName(row.schema)} | ${row.required ? 'yes' : ''} | ${preset} | ${describe(row)} |`;
  });
  return ['| Field | Type | Required | Default | Meaning |', '|---|---|---|---|---|', ...lines].join('\n');
}

const section = (title: string, body: string): string => `## ${title}\n\n${body}\n`;

const without = (schema: JsonSchema, names: string[]): JsonSchema => ({
  ...schema,
  properties: Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name]) => !names.includes(name))),
});

function fieldSections(kind: KindDefinition): string[] {
  const root = openApiSchema(kind);
  if (kind.topLevel === true) {
    return [section('Fields', table(rows(without(root, ['apiVersion', 'kind', 'metadata']), '')))];
  }
  const spec = root.properties?.['spec'] ?? {};
  const status = root.properties?.['status'];
  const statusSection = status === undefined ? [] : [section('Status', table(rows(status, 'status')))];
  const forProvider = spec.properties?.['forProvider'];
  if (forProvider === undefined) return [section('Spec', table(rows(spec, 'spec'))), ...statusSection];
  return [
    section('What it should be', `Fields of \`spec.forProvider\`.\n\n${table(rows(forProvider, ''))}`),
    section('Every managed resource', table(rows(without(spec, ['forProvider']), 'spec'))),
    ...statusSection,
  ];
}

function ruleSection(kind: KindDefinition): string[] {
  if (kind.specRules.length === 0) return [];
  const items = kind.specRules.map(({ message }) => `- ${cell(message)}`);
  return [section('Rules', `An object that breaks one of these is refused with this text.\n\n${items.join('\n')}`)];
}

/** The page of one kind. @param example A manifest of the kind, in YAML. */
export function page(kind: KindDefinition, example: string): string {
  const short = kind.shortNames.length === 0 ? '' : ` (${kind.shortNames.join(', ')})`;
  return [
    `# ${kind.kind}\n`,
    `${kind.description}\n`,
    [
      '| | |',
      '|---|---|',
      `| apiVersion | \`${apiVersion(kind)}\` |`,
      `| kind | \`${kind.kind}\` |`,
      `| Scope | ${kind.namespaced ? 'namespace' : 'cluster'} |`,
      `| kubectl | \`kubectl get ${kind.plural}.${kind.group}\`${short} |\n`,
    ].join('\n'),
    section('Example', `\`\`\`yaml\n${example.trimEnd()}\n\`\`\``),
    ...fieldSections(kind),
    ...ruleSection(kind),
    '*Generated by `npm run generate` from provider/api.*\n',
  ].join('\n');
}

const REFERENCES = `Wherever a kind names another, the field has three spellings, of which one is enough:

| Spelling | Meaning |
|---|---|
| \`x: name\` | The name on the server. |
| \`xRef: {name}\` | An object of the same namespace; its external name is used, and this one waits until it has one. |
| \`xSelector: {matchLabels, matchControllerRef}\` | The first object of the same namespace that has these labels, and with \`matchControllerRef: true\` the same controller. |

\`policy.resolve\` of a reference or a selector is \`IfNotPresent\` (the default: resolved once, and written into \`x\`) or \`Always\`.
\`policy.resolution\` is \`Required\` (the default: the resource waits) or \`Optional\`. References never leave the namespace.`;

/** The page that lists all kinds. */
export function index(kinds: readonly KindDefinition[]): string {
  const lines = kinds.map(
    (kind) => `| [${kind.kind}](${fileName(kind)}) | \`${apiVersion(kind)}\` | ${cell(kind.description)} |`,
  );
  return [
    '# Kinds\n',
    ['| Kind | apiVersion | Meaning |', '|---|---|---|', ...lines, ''].join('\n'),
    section('References', REFERENCES),
    '*Generated by `npm run generate` from provider/api.*\n',
  ].join('\n');
}

/** Name of the file of a kind, the same for its page (`.md`) and its example (`.yaml`). */
export const fileName = (kind: KindDefinition, ending = 'md'): string =>
  `${kind.kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.${ending}`;
