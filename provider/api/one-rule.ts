/**
 * Rules for the API server, in a form that costs it little.
 *
 * A field that a rule looks at costs an API server a copy of the schema of all its neighbours, of which a Grant has
 * fifty-five (apiserver's pkg/cel/common, `unstructuredMap.Find`, as of Kubernetes 1.36), and rules are evaluated for every
 * write of metadata and of status as well. So rules about forProvider stand at forProvider, where it need not be looked up
 * anew for each field; and all that speak of the state become one, which looks no further when nothing has changed. What
 * did not change would only be warned of anyway (validation ratcheting).
 */
import { isTransition } from './cel.ts';
import type { CelRule } from './kind.ts';
import { celString } from './text.ts';

export interface ServerRule {
  rule: string;
  message: string;
  /** Says which of the rules that became one is broken: the first. */
  messageExpression?: string;
  /** Whether the rule holds for new objects too, although it speaks of the old one. */
  optionalOldSelf?: true;
}

export interface ServerRules {
  spec: ServerRule[];
  forProvider: ServerRule[];
}

/** Fewer rules than this cost less than to find out that nothing has changed. */
const FEW = 6;

const FOR_PROVIDER = /\b(self|oldSelf)\.forProvider\./g;

/** The rules of a spec for the API server, each where it costs least. */
export function forServer(rules: readonly CelRule[]): ServerRules {
  const forProvider: CelRule[] = [];
  const spec: CelRule[] = [];
  for (const { rule, message } of rules) {
    const inner = rule.replaceAll(FOR_PROVIDER, '$1.');
    const isWithin = !/\b(self|oldSelf)\b/.test(rule.replaceAll(FOR_PROVIDER, ''));
    if (isWithin) forProvider.push({ rule: inner, message });
    else spec.push({ rule, message });
  }
  return { spec: together(spec), forProvider: together(forProvider) };
}

/** Many rules about the state as one. Those that speak of a change are evaluated for changes only, and stay as they are. */
export function together(rules: readonly CelRule[]): ServerRule[] {
  const changes = rules.filter(({ rule }) => isTransition(rule));
  const states = rules.filter(({ rule }) => !isTransition(rule));
  if (states.length < FEW) return [...rules];
  const unchanged = 'oldSelf.hasValue() && self == oldSelf.value()';
  const all = states.map(({ rule }) => `(${rule})`).join(' && ');
  const last = celString(states.at(-1)?.message ?? '');
  // It must not speak of oldSelf, which the API server gives it in another form than to the rule.
  const messageExpression = states
    .slice(0, -1)
    .reduceRight((rest, { rule, message }) => `!(${rule}) ? ${celString(message)} : ${rest}`, last);
  return [
    ...changes,
    {
      rule: `(${unchanged}) || (${all})`,
      message: 'what is wanted contradicts itself',
      messageExpression,
      optionalOldSelf: true,
    },
  ];
}
