/** Writes the XRDs of the claim, the schema of the function's input, and a page for each. Run by package/generate.ts as a process of its own. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { claimRules, claimSpecV1, claimSpecV2 } from '../function/claim.ts';
import { CONNECTION_KEYS } from '../function/connection.ts';
import { INPUT_GROUP, INPUT_KIND, inputFields, inputRules } from '../function/input.ts';
import { claimStatus } from '../function/status.ts';
import { type JsonSchema, openApiSchema, toCrd } from '../provider/api/crd.ts';
import { type KindDefinition, type PrinterColumn, VERSION } from '../provider/api/kind.ts';
import { plainRules } from './plain-rules.ts';
import { page } from './reference.ts';

const ROOT = resolve(import.meta.dirname, '..');

const COLUMNS: PrinterColumn[] = [
  { name: 'ENGINE', type: 'string', jsonPath: '.status.engine' },
  { name: 'DATABASE', type: 'string', jsonPath: '.status.databaseName' },
  { name: 'PHASE', type: 'string', jsonPath: '.status.phase' },
  // A moment that kubectl shows as an age.
  { name: 'LAST-BACKUP', type: 'date', jsonPath: '.status.backup.lastTime' },
  { name: 'EXPIRES', type: 'string', jsonPath: '.status.expiresAt', priority: 1 },
];

const claimKind = (group: string, spec: z.ZodObject): KindDefinition => ({
  group,
  version: VERSION,
  kind: 'XDatabase',
  plural: 'xdatabases',
  singular: 'xdatabase',
  shortNames: [],
  categories: [],
  namespaced: true,
  description:
    'XDatabase is one database on an existing server, with its schemas and extensions, and the logins of the application.',
  spec,
  status: claimStatus,
  specRules: claimRules,
  columns: COLUMNS,
  references: [],
  managed: false,
});

/** Without what Crossplane adds itself. */
function schemaOf(kind: KindDefinition): JsonSchema {
  const { description, type, required, properties } = openApiSchema(kind);
  const { spec, status } = properties ?? {};
  if (description === undefined || type === undefined || required === undefined || !spec || !status)
    throw new Error('a claim has a description, a spec and a status');
  return { description, type, required, properties: { spec, status } };
}

const versions = (kind: KindDefinition) => [
  {
    name: VERSION,
    served: true,
    referenceable: true,
    additionalPrinterColumns: kind.columns,
    schema: { openAPIV3Schema: schemaOf(kind) },
  },
];

function definitionV2() {
  const kind = claimKind('xdatabase.dev', claimSpecV2);
  return {
    apiVersion: 'apiextensions.crossplane.io/v2',
    kind: 'CompositeResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      scope: 'Namespaced',
      group: kind.group,
      names: { kind: kind.kind, plural: kind.plural, singular: kind.singular, categories: ['xdatabase'] },
      defaultCompositionRef: { name: 'xdatabases.xdatabase.dev' },
      defaultCompositionUpdatePolicy: 'Automatic',
      versions: versions(kind),
    },
  };
}

function definitionV1() {
  const kind = claimKind('claim.xdatabase.dev', claimSpecV1);
  return {
    apiVersion: 'apiextensions.crossplane.io/v1',
    kind: 'CompositeResourceDefinition',
    metadata: { name: `compositexdatabases.${kind.group}` },
    spec: {
      group: kind.group,
      names: { kind: 'CompositeXDatabase', plural: 'compositexdatabases', singular: 'compositexdatabase' },
      claimNames: { kind: kind.kind, plural: kind.plural, singular: kind.singular, categories: ['xdatabase'] },
      connectionSecretKeys: [...CONNECTION_KEYS],
      defaultCompositionRef: { name: `compositexdatabases.${kind.group}` },
      defaultCompositionUpdatePolicy: 'Automatic',
      versions: versions(kind),
    },
  };
}

/** Crossplane never installs its CRD: tools read it to check Compositions. */
const inputKind: KindDefinition = {
  group: INPUT_GROUP,
  version: VERSION,
  kind: INPUT_KIND,
  plural: 'inputs',
  singular: 'input',
  shortNames: [],
  categories: ['crossplane'],
  namespaced: false,
  description: 'Input is what the platform decides for every XDatabase that a Composition composes.',
  spec: inputFields,
  topLevel: true,
  status: undefined,
  specRules: inputRules,
  columns: [],
  references: [],
  managed: false,
};

/** As an API server takes it, which counts what rules may cost: a claim's fields are in it once for each class. */
function inputCrd(): object {
  const { spec, ...crd } = toCrd(inputKind);
  const rules = { 'x-kubernetes-validations': [...inputRules] };
  const schema = { openAPIV3Schema: plainRules({ ...openApiSchema(inputKind), ...rules }) };
  const versions = spec['versions'] as object[];
  return { ...crd, spec: { ...spec, versions: versions.map((version) => ({ ...version, schema })) } };
}

const exampleOf = (name: string): string => readFileSync(join(ROOT, `examples/${name}.yaml`), 'utf8');

/** It is never in a cluster, so nobody can get it from there. */
const inputPage = (): string =>
  page(inputKind, stringify(inputOf('platform/composition'), { lineWidth: 0 })).replaceAll(
    /^\| (Scope|kubectl) .*\n/gm,
    '',
  );

/** The input of the first step of an example. */
function inputOf(name: string): unknown {
  const { spec } = parse(exampleOf(name)) as { spec: { pipeline: { input: unknown }[] } };
  return spec.pipeline[0]?.input;
}

/** Every file by its path from the root of the repository. */
export function configurationFiles(): Map<string, string> {
  const yaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
  return new Map([
    ['package/configuration/v1/definition.yaml', yaml(definitionV1())],
    ['package/configuration/v2/definition.yaml', yaml(definitionV2())],
    [`package/function/input/${INPUT_GROUP}_inputs.yaml`, yaml(inputCrd())],
    ['docs/xdatabase.md', page(claimKind('xdatabase.dev', claimSpecV2), exampleOf('xr-complete'))],
    ['docs/input.md', inputPage()],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of configurationFiles()) {
    const file = join(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
