import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../api/kind.ts';
import { parseManifests, secretValues } from './manifests.ts';

const names = (text: string): string[] =>
  parseManifests(text, 'f.yaml').map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);

describe('a file', () => {
  test('of several documents, empty ones and comments among them', () => {
    expect(names('# first\n---\n---\napiVersion: v1\nkind: A\nmetadata: { name: a }\n--- # nothing\n')).toEqual([
      'v1 A a',
    ]);
    expect(names('')).toEqual([]);
  });

  test.each([
    '{ apiVersion: v1, kind: List, metadata: { resourceVersion: "" }, items: [{ apiVersion: g/v1, kind: A, metadata: { name: a } }] }',
    '{ apiVersion: g/v1, kind: AList, metadata: {}, items: [{ metadata: { name: a } }] }',
    '{ apiVersion: v1, kind: List, items: [{ apiVersion: v1, kind: List, items: [{ apiVersion: g/v1, kind: A, metadata: { name: a } }] }] }',
  ])('of a list, as kubectl prints it: %s', (text) => {
    expect(names(text)).toEqual(['g/v1 A a']);
  });

  test('of an empty list has nothing', () => {
    expect(names('{ apiVersion: v1, kind: List, items: [] }')).toEqual([]);
  });

  test.each([
    '[1]',
    'text',
    '{ apiVersion: v1, kind: List, items: [1] }',
    '{ kind: A }',
    '{ apiVersion: v1, kind: A }',
  ])('of something else is refused: %s', (text) => {
    expect(() => names(text)).toThrow(
      'f.yaml: every document must be an object with apiVersion, kind and metadata.name',
    );
  });

  test.each(['name: {{ .Values.name }}', '{{- if .Values.on }}\na: 1\n{{- end }}'])(
    'of a template says that it has to be rendered: %j',
    (text) => {
      expect(() => names(`apiVersion: v1\nkind: A\nmetadata:\n  ${text}\n`)).toThrow('render the template first');
    },
  );
});

const secret = (fields: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's' },
  ...fields,
});

test('a Secret is read as an API server reads it', () => {
  expect(secretValues(secret({ data: { a: 'eA==', b: 'eA\n==\n' }, stringData: { b: 'y' } }))).toEqual({
    a: 'x',
    b: 'y',
  });
  for (const [fields, says] of [
    [{ data: { password: 'hunter2!' } }, 'Secret s: data.password is not base64; plain text belongs in stringData'],
    [{ stringData: { password: 1234 } }, 'Secret s: stringData.password is no text; in YAML, put it in quotes'],
  ] as const)
    expect(() => secretValues(secret(fields))).toThrow(says);
});
