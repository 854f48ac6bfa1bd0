/** Whatever is held and whatever is wished: one pass gives it, the next is quiet, and deletion takes exactly that back. */
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { onEveryVersion } from './world.ts';

const TABLE = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'BACKUP', 'ZONECONFIG', 'DROP'] as const;

onEveryVersion('Any Grant', (world) => {
  let database = '';
  beforeAll(async () => {
    database = world().name('any');
    await world().role('app', {}, 'pw').reconcile();
    await world().database('any', {}).reconcile();
    await world().sql('CREATE TABLE public.t (id int)', database);
  });

  test('converges from whatever others gave, and takes back no more than it gave', async () => {
    const some = fc.subarray([...TABLE]);
    const wish = fc.oneof(fc.constant(['ALL'] as string[]), fc.subarray([...TABLE], { minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(some, wish, wish, fc.boolean(), async (others, first, second, withOption) => {
        await world().sql('REVOKE ALL ON TABLE public.t FROM {app}', database);
        if (others.length > 0) await world().sql(`GRANT ${others.join(', ')} ON TABLE public.t TO {app}`, database);
        const held = async () =>
          (await world().held('app', 'TABLE public.t', database)).map((word) => word.replace('*', ''));
        const covers = async (wanted: readonly string[]): Promise<boolean> => {
          const now = await held();
          // All of them, one by one, are as good as ALL.
          return now.includes('ALL') || (wanted.includes('ALL') ? TABLE : wanted).every((word) => now.includes(word));
        };
        const story = world().grant({
          database,
          schema: 'public',
          tables: ['t'],
          role: world().name('app'),
          privileges: first,
          withOption,
        });
        await story.reconcile();
        expect(await covers(first)).toBe(true);
        await story.edit({ privileges: second });
        expect(await covers(second)).toBe(true);
        await story.delete();
        const left = await held();
        // What was there before and never asked for by us stays as it was.
        const ours = new Set([...first, ...second]);
        const foreign = ours.has('ALL') ? [] : others.filter((word) => !ours.has(word));
        expect(left.toSorted()).toEqual(foreign.toSorted());
      }),
      { numRuns: 15 },
    );
  });
});
