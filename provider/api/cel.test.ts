import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { compile, isTransition } from './cel.ts';
import { type JsonSchema, openApiSchema } from './crd.ts';
import { kinds } from './registry.ts';
import { celString } from './text.ts';

const evaluate = (rule: string, self: unknown = {}, oldSelf?: unknown): boolean => compile(rule)({ self, oldSelf });

test.each([
  ['1 < 2 && !(2 <= 1)', true],
  ['true ? false : true', false],
  ['[true, false, true].filter(x, x).size() == 2', true],
  ['[1, 2, 3].all(x, x > 0) && [1, 2].exists(x, x == 2)', true],
  ['[1, 1].exists_one(x, x == 1)', false],
  ['[1, [2]] == [1, [2]] && [1] != [1, 2]', true],
  ["'b' in ['a', 'b'] && !('c' in ['a', 'b'])", true],
  ["'it''s' == 'x'", undefined],
  ["'it\\'s'.size() == 4", true],
  ["'abc'.matches('^a.c$') && 'abc'.contains('b') && 'abc'.startsWith('ab')", true],
  ['-1 < 0', true],
  ['false || false || true', true],
])('%s is %s', (rule, result) => {
  if (result === undefined) expect(() => evaluate(rule)).toThrow(SyntaxError);
  else expect(evaluate(rule)).toBe(result);
});

test('has() tells a missing field from a false one', () => {
  expect(evaluate('has(self.a.b)', { a: { b: false } })).toBe(true);
  expect(evaluate('has(self.a.b)', { a: {} })).toBe(false);
  expect(() => evaluate('has(self.a.b)', {})).toThrow('no such key: a');
});

test('an error on one side of && and || does not count when the other side decides', () => {
  expect(evaluate('self.missing || true')).toBe(true);
  expect(evaluate('true || self.missing')).toBe(true);
  expect(evaluate('self.missing && false')).toBe(false);
  expect(() => evaluate('self.missing || false')).toThrow('no such key: missing');
});

test('objects are equal when their fields are, in any order', () => {
  expect(evaluate('self.a == oldSelf.a', { a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } })).toBe(true);
  expect(evaluate('self.a == oldSelf.a', { a: { x: 1 } }, { a: { x: 1, y: 2 } })).toBe(false);
});

test.each(['self.', 'has(self)(', '1 +', 'self.a.reverse()', '"double"', 'a b'])(
  '%s is refused when compiled',
  (rule) => {
    expect(() => compile(rule)).toThrow(SyntaxError);
  },
);

test('every text survives as a CEL string', () => {
  assert(
    property(string({ unit: 'grapheme' }), (text) => {
      expect(evaluate(`self == ${celString(text)}`, text)).toBe(true);
    }),
  );
});

const rulesOf = (schema: JsonSchema): { rule: string; message: string }[] => [
  ...(schema['x-kubernetes-validations'] ?? []),
  ...Object.values(schema.properties ?? {}).flatMap(rulesOf),
  ...(schema.items === undefined ? [] : rulesOf(schema.items)),
  ...(schema.additionalProperties === undefined ? [] : rulesOf(schema.additionalProperties)),
];

test.each(kinds.map((kind) => [kind.kind, kind] as const))(
  'every rule of %s can be asked without an API server',
  (_, kind) => {
    for (const { rule, message } of rulesOf(openApiSchema(kind))) {
      expect(() => compile(rule)).not.toThrow();
      expect(message).not.toMatch(/\n|[.]$/);
    }
  },
);

test('a rule about a change is known by its old self', () => {
  expect(isTransition('self.a == oldSelf.a')).toBe(true);
  expect(isTransition('self.oldSelfie')).toBe(false);
});
