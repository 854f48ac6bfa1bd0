import { expect, test } from 'vitest';
import { compile, isTransition } from './cel.ts';
import { managedKinds } from './registry.ts';
import { forServer, together } from './one-rule.ts';

const state = (name: string) => ({ rule: `self.${name} == 1`, message: `${name}'s value must be 1` });
const change = { rule: 'self.x == oldSelf.x', message: 'x stays' };
const many = ['a', 'b', 'c', 'd', 'e', 'f'].map(state);

test('many rules about the state are one, and its message is that of the first that is broken', () => {
  const [kept, combined, ...others] = together([many[0]!, change, ...many.slice(1)]);
  expect(kept).toEqual(change);
  expect(others).toEqual([]);
  expect(combined?.optionalOldSelf).toBe(true);
  const [, states = ''] = (combined?.rule ?? '').split(' || ');
  const messages = compile(`(${combined?.messageExpression}) == self.expected`);
  const good = { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 };
  expect(compile(states)({ self: good })).toBe(true);
  for (const name of Object.keys(good)) {
    const bad = { ...good, f: 0, [name]: 0 };
    expect(compile(states)({ self: bad })).toBe(false);
    expect(messages({ self: { ...bad, expected: `${name}'s value must be 1` } })).toBe(true);
  }
});

test('what has not changed is not looked at any further, and a new object has no old one', () => {
  const rule = together(many).at(-1)?.rule ?? '';
  expect(rule.startsWith('(oldSelf.hasValue() && self == oldSelf.value()) || (')).toBe(true);
});

test('few rules, and those about a change, stay as they are', () => {
  expect(together([change, state('a')])).toEqual([change, state('a')]);
});

test.each(managedKinds.map((kind) => [kind.kind, kind] as const))(
  'the message of %s speaks of no change',
  (_, kind) => {
    for (const { messageExpression } of Object.values(forServer(kind.specRules)).flat())
      expect(isTransition(messageExpression ?? '')).toBe(false);
  },
);

const message = 'what it says';

test.each([
  ['self.forProvider.a == oldSelf.forProvider.a', 'self.a == oldSelf.a'],
  ['has(self.forProvider.a) ? self.forProvider.a.b : false', 'has(self.a) ? self.a.b : false'],
])('a rule about forProvider alone stands there: %s', (rule, inner) => {
  expect(forServer([{ rule, message }])).toEqual({ spec: [], forProvider: [{ rule: inner, message }] });
});

test.each([
  "self.providerConfigRef.kind == 'ProviderConfig' || !has(self.forProvider.a)",
  'self.forProvider == oldSelf.forProvider',
])('a rule that looks beside it stays at spec: %s', (rule) => {
  expect(forServer([{ rule, message }])).toEqual({ spec: [{ rule, message }], forProvider: [] });
});

test('of a Grant nothing is asked at spec but what is beside forProvider', () => {
  const grant = managedKinds.find(({ kind }) => kind === 'Grant');
  const { spec } = forServer(grant?.specRules ?? []);
  expect(spec.map(({ rule }) => rule)).toEqual(['self.providerConfigRef == oldSelf.providerConfigRef']);
});
