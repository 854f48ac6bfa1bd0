/** Checks a value as an API server does. Tools call the function without one, and a Composition's input never meets one. */
import type { JsonSchema } from '../provider/api/crd.ts';
import { problems, withDefaults } from '../provider/api/structural.ts';
import { ClaimError } from './errors.ts';

/**
 * The value with its defaults.
 * @param root Name of the value in messages, e.g. `spec`.
 * @throws ClaimError with the path of the first thing that is wrong. Unknown fields are wrong too: a misspelt one would
 *   change nothing without a word.
 */
export function checked(schema: JsonSchema, root: string, value: unknown): unknown {
  const filled = withDefaults(schema, value);
  const [first, ...more] = problems(schema, filled, root);
  if (first === undefined) return filled;
  throw new ClaimError(first.path, more.length === 0 ? first.message : `${first.message} (and ${more.length} more)`);
}
