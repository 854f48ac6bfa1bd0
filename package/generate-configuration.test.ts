import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseInput } from '../function/input.ts';
import { compile } from '../provider/api/cel.ts';
import { claimRules } from '../function/claim.ts';
import { configurationFiles } from './generate-configuration.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = async (path: string): Promise<string> => await readFile(join(ROOT, path), 'utf8');

test.each([...configurationFiles()])(
  '%s is what the schema of the claim makes (npm run generate)',
  async (path, text) => {
    expect(await read(path)).toBe(text);
  },
);

test.each(['v1', 'v2'])(
  'the input of the Composition %s is understood, and its type is the one that is defined',
  async (version) => {
    const folder = `package/configuration/${version}`;
    const composition = parse(await read(`${folder}/composition.yaml`)) as {
      metadata: { name: string };
      spec: { compositeTypeRef: { apiVersion: string; kind: string }; pipeline: { input: unknown }[] };
    };
    const definition = parse(await read(`${folder}/definition.yaml`)) as {
      spec: {
        group: string;
        names: { kind: string };
        defaultCompositionRef: { name: string };
        versions: { name: string }[];
      };
    };
    expect(() => parseInput(composition.spec.pipeline[0]?.input)).not.toThrow();
    expect(composition.spec.compositeTypeRef).toEqual({
      apiVersion: `${definition.spec.group}/${definition.spec.versions[0]?.name}`,
      kind: definition.spec.names.kind,
    });
    expect(definition.spec.defaultCompositionRef.name).toBe(composition.metadata.name);
  },
);

test.each(['engine', 'serverRef', 'class', 'databaseName'])(
  '%s can neither be changed, nor given later, nor taken away',
  (field) => {
    const rule = claimRules.find(({ message }) => message.startsWith(`${field} cannot be changed`))?.rule ?? '';
    const allowed = compile(rule);
    expect(allowed({ self: { [field]: 'a' }, oldSelf: { [field]: 'a' } })).toBe(true);
    expect(allowed({ self: {}, oldSelf: {} })).toBe(true);
    expect(allowed({ self: { [field]: 'b' }, oldSelf: { [field]: 'a' } })).toBe(false);
    expect(allowed({ self: { [field]: 'a' }, oldSelf: {} })).toBe(false);
    expect(allowed({ self: {}, oldSelf: { [field]: 'a' } })).toBe(false);
  },
);
