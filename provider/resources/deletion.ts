/** What deletion leaves on the server, and how it says so. */
import type { Contents } from './model/databases.ts';
import type { Plan } from './planner.ts';

/** Nothing of ours is left on the server. */
export const nothingLeft = (notes: NonNullable<Plan['notes']> = []): Plan => ({
  exists: false,
  steps: [],
  unchangeable: [],
  atProvider: {},
  notes,
});

/** The object stays, and an event says why. */
export const kept = (what: string, why: string): Plan =>
  nothingLeft([{ reason: 'KeptExternalResource', message: `${what} kept: ${why}` }]);

export interface Keeping {
  dropPolicy: 'WhenEmpty' | 'Always' | 'Never' | undefined;
  adopted: boolean;
  /** Asked only when the answer decides. */
  contents: () => Promise<Contents>;
}

/** Why the object is not dropped; undefined when it may be. */
export async function reasonToKeep({ dropPolicy, adopted, contents }: Keeping): Promise<string | undefined> {
  if (dropPolicy === 'Always') return undefined;
  if (dropPolicy === 'Never') return 'dropPolicy is Never';
  if (adopted) return 'it was there before this resource; dropPolicy Always drops it';
  const { empty, summary } = await contents();
  return empty ? undefined : `it holds ${summary}; dropPolicy Always drops it`;
}
