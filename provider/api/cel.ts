/**
 * The part of CEL that the rules of our kinds use, so that a manifest is refused for the same reason without a cluster
 * as by an API server. A rule outside this part fails to compile, which a test of all rules shows.
 */

/** A compiled rule. `oldSelf` is there when an object is changed. */
export type Rule = (scope: { self: unknown; oldSelf?: unknown }) => boolean;

type Scope = Record<string, unknown>;
type Node = (scope: Scope) => unknown;

const TOKEN = /\s*(?:(\d+)|'((?:[^'\\]|\\.)*)'|([A-Za-z_]\w*)|(==|!=|<=|>=|&&|\|\||[-!<>()[\].,?:]))/y;

interface Token {
  kind: 'int' | 'string' | 'name' | 'op' | 'end';
  text: string;
}

function tokens(rule: string): Token[] {
  const list: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rule.trimEnd().length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(rule);
    if (match === null) throw new SyntaxError(`not understood at ${start}: ${rule.slice(start)}`);
    const [, int, string, name, op] = match;
    if (int !== undefined) list.push({ kind: 'int', text: int });
    else if (string !== undefined) list.push({ kind: 'string', text: string.replace(/\\(.)/g, '$1') });
    else if (name !== undefined) list.push({ kind: 'name', text: name });
    else list.push({ kind: 'op', text: op ?? '' });
  }
  return [...list, { kind: 'end', text: 'the end' }];
}

const equal = (a: unknown, b: unknown): boolean => {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal((a as Scope)[key], (b as Scope)[key]))
  );
};

function field(value: unknown, name: string): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, name)) return (value as Scope)[name];
  throw new TypeError(`no such key: ${name}`);
}

const boolean = (value: unknown): boolean => {
  if (typeof value !== 'boolean') throw new TypeError('not a boolean');
  return value;
};

/** `&&` and `||` of CEL: an error on one side does not count when the other side decides. */
function logical(left: Node, right: Node, decides: boolean): Node {
  return (scope) => {
    let failure: unknown;
    for (const side of [left, right]) {
      try {
        if (boolean(side(scope)) === decides) return decides;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return !decides;
  };
}

const size = (value: unknown): number => {
  if (typeof value === 'string') return Array.from(value).length;
  if (Array.isArray(value)) return value.length;
  return Object.keys(value as object).length;
};

const METHODS: Record<string, (target: unknown, argument: unknown) => unknown> = {
  size,
  matches: (target, argument) => new RegExp(argument as string, 'u').test(target as string),
  startsWith: (target, argument) => (target as string).startsWith(argument as string),
  contains: (target, argument) => (target as string).includes(argument as string),
};

const MACROS: Record<string, (list: unknown[], test: (item: unknown) => unknown) => unknown> = {
  filter: (list, test) => list.filter((item) => boolean(test(item))),
  all: (list, test) => list.every((item) => boolean(test(item))),
  exists: (list, test) => list.some((item) => boolean(test(item))),
  exists_one: (list, test) => list.filter((item) => boolean(test(item))).length === 1,
};

const COMPARE: Record<string, (a: unknown, b: unknown) => boolean> = {
  '==': equal,
  '!=': (a, b) => !equal(a, b),
  '<': (a, b) => (a as number) < (b as number),
  '<=': (a, b) => (a as number) <= (b as number),
  '>': (a, b) => (a as number) > (b as number),
  '>=': (a, b) => (a as number) >= (b as number),
  in: (a, b) => (Array.isArray(b) ? b.some((item) => equal(item, a)) : Object.hasOwn(b as object, a as string)),
};

class Parser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(rule: string) {
    this.#tokens = tokens(rule);
  }

  rule(): Node {
    const node = this.#ternary();
    this.#expect('end');
    return node;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'the end' };
  }

  #take(text: string): boolean {
    const taken = this.#next.kind !== 'string' && this.#next.text === text;
    if (taken) this.#at++;
    return taken;
  }

  #expect(kind: Token['kind'], text?: string): string {
    const token = this.#next;
    if (token.kind !== kind || (text !== undefined && token.text !== text)) {
      throw new SyntaxError(`expected ${text ?? kind}, found ${token.text}`);
    }
    this.#at++;
    return token.text;
  }

  #ternary(): Node {
    const condition = this.#or();
    if (!this.#take('?')) return condition;
    const yes = this.#ternary();
    this.#expect('op', ':');
    const no = this.#ternary();
    return (scope) => (boolean(condition(scope)) ? yes(scope) : no(scope));
  }

  #or(): Node {
    let left = this.#and();
    while (this.#take('||')) left = logical(left, this.#and(), true);
    return left;
  }

  #and(): Node {
    let left = this.#comparison();
    while (this.#take('&&')) left = logical(left, this.#comparison(), false);
    return left;
  }

  #comparison(): Node {
    const left = this.#unary();
    const operator = this.#next.kind === 'string' ? undefined : COMPARE[this.#next.text];
    if (operator === undefined) return left;
    this.#at++;
    const right = this.#unary();
    return (scope) => operator(left(scope), right(scope));
  }

  #unary(): Node {
    if (this.#take('!')) {
      const operand = this.#unary();
      return (scope) => !boolean(operand(scope));
    }
    if (this.#take('-')) {
      const operand = this.#unary();
      return (scope) => -(operand(scope) as number);
    }
    return this.#member();
  }

  #member(): Node {
    let node = this.#primary();
    while (this.#take('.')) {
      const name = this.#expect('name');
      node = this.#take('(') ? this.#call(node, name) : this.#select(node, name);
    }
    return node;
  }

  #select(target: Node, name: string): Node {
    return (scope) => field(target(scope), name);
  }

  #call(target: Node, name: string): Node {
    const macro = MACROS[name];
    if (macro !== undefined) {
      const variable = this.#expect('name');
      this.#expect('op', ',');
      const body = this.#ternary();
      this.#expect('op', ')');
      return (scope) => macro(target(scope) as unknown[], (item) => body({ ...scope, [variable]: item }));
    }
    const method = METHODS[name];
    if (method === undefined) throw new SyntaxError(`unknown function ${name}`);
    const argument = this.#take(')') ? undefined : this.#ternary();
    if (argument !== undefined) this.#expect('op', ')');
    return (scope) => method(target(scope), argument?.(scope));
  }

  #primary(): Node {
    const token = this.#next;
    this.#at++;
    if (token.kind === 'int') return () => Number(token.text);
    if (token.kind === 'string') return () => token.text;
    if (token.kind === 'name') return this.#name(token.text);
    if (token.text === '(') {
      const node = this.#ternary();
      this.#expect('op', ')');
      return node;
    }
    if (token.text === '[') return this.#list();
    throw new SyntaxError(`unexpected ${token.text}`);
  }

  #list(): Node {
    const items: Node[] = [];
    while (!this.#take(']')) {
      if (items.length > 0) this.#expect('op', ',');
      items.push(this.#ternary());
    }
    return (scope) => items.map((item) => item(scope));
  }

  #name(name: string): Node {
    if (name === 'true' || name === 'false') return () => name === 'true';
    if (name === 'has' && this.#take('(')) {
      const path = [this.#expect('name')];
      while (this.#take('.')) path.push(this.#expect('name'));
      this.#expect('op', ')');
      const last = path.pop() ?? '';
      return (scope) => {
        const holder = path.reduce((value: unknown, step) => field(value, step), scope);
        return typeof holder === 'object' && holder !== null && Object.hasOwn(holder, last);
      };
    }
    return (scope) => field(scope, name);
  }
}

const compiled = new Map<string, Rule>();

/** Compiles a rule, once. @throws SyntaxError when it uses what is not implemented here. */
export function compile(rule: string): Rule {
  let found = compiled.get(rule);
  if (found === undefined) {
    const node = new Parser(rule).rule();
    found = (scope) => boolean(node(scope));
    compiled.set(rule, found);
  }
  return found;
}

/** Whether a rule speaks of a change, and so says nothing about a new object. */
export const isTransition = (rule: string): boolean => /\boldSelf\b/.test(rule);
