/** One question that the server cannot take must not keep all others of its batch from being answered. */
import { ResourceError } from '../common/errors.ts';
import type { ReadKind } from '../resources/model/reads.ts';
import type { Engine } from './engine.ts';

/** By the key of the query. */
export type Answers = Map<string, { result: unknown } | { error: unknown }>;

/** Throws what concerns the server or the session; what concerns single queries is told of these alone. */
export async function askSeparately(
  engine: Engine,
  kind: ReadKind,
  entries: readonly (readonly [key: string, query: unknown])[],
  answers: Answers,
): Promise<void> {
  try {
    const results = await engine.read(kind, entries.map(([, query]) => query) as never);
    entries.forEach(([key], i) => answers.set(key, { result: results[i] }));
  } catch (error) {
    if (!isAboutOne(error)) throw error;
    const [only] = entries;
    if (entries.length === 1 && only !== undefined) {
      answers.set(only[0], { error });
      return;
    }
    const middle = Math.ceil(entries.length / 2);
    await askSeparately(engine, kind, entries.slice(0, middle), answers);
    await askSeparately(engine, kind, entries.slice(middle), answers);
  }
}

/** Values that cannot be (class 22), syntax and names (class 42, without rights), limits (54). */
const isAboutOne = (error: unknown): boolean =>
  error instanceof ResourceError &&
  (error.reason === 'InvalidSpec' || (/^(22|42|54)/.test(error.code ?? '') && error.code !== '42501'));
