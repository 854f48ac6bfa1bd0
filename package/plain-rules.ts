/** Rules that a schema can say without CEL, whose cost an API server adds up over the longest lists that there may be. */
import type { JsonSchema } from '../provider/api/crd.ts';

const MATCHES = /^self\.matches\('((?:[^'\\]|\\.)*)'\)$/;
const ONCE_BY_NAME = 'self.all(x, self.exists_one(y, y.name == x.name))';

/** What the rule says in the words of a schema; undefined when there are none. */
function wordsOf(rule: string): JsonSchema | undefined {
  if (rule === ONCE_BY_NAME) return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };
  const pattern = MATCHES.exec(rule)?.[1]?.replaceAll(/\\(.)/g, '$1');
  return pattern === undefined ? undefined : { pattern };
}

const inEach = (schemas: Record<string, JsonSchema>): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, plainRules(schema)]));

/** The same schema, in which only rules that take CEL are in CEL. Their messages go with the others. */
export function plainRules(schema: JsonSchema): JsonSchema {
  const { 'x-kubernetes-validations': rules = [], ...rest } = schema;
  const said = rules.map(({ rule }) => wordsOf(rule));
  const left = rules.filter((_, index) => said[index] === undefined);
  return {
    ...rest,
    ...Object.assign({}, ...said),
    ...(left.length === 0 ? {} : { 'x-kubernetes-validations': left }),
    ...(rest.properties === undefined ? {} : { properties: inEach(rest.properties) }),
    ...(rest.items === undefined ? {} : { items: plainRules(rest.items) }),
    ...(rest.additionalProperties === undefined ? {} : { additionalProperties: plainRules(rest.additionalProperties) }),
  };
}
