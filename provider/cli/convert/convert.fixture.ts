/** The manifests of the predecessor's scenarios, and what to look at in what becomes of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../api/kind.ts';
import { kinds } from '../../api/registry.ts';
import { parse } from '../../api/validate.ts';
import { parseManifests } from '../../local/manifests.ts';
import type { Converted } from './convert.ts';

const SCENARIOS = join(import.meta.dirname, '../../../test/scenarios');

export const files = readdirSync(SCENARIOS).toSorted();

export const read = (name: string): KubeObject[] => parseManifests(readFileSync(join(SCENARIOS, name), 'utf8'), name);

export const plain = { adopt: false, namespace: 'default' };

/** What an API server would refuse. */
export function refusals({ objects }: Converted): string[] {
  return objects.flatMap((object) => {
    const kind = kinds.find((one) => one.kind === object.kind && object.apiVersion === `${one.group}/${one.version}`);
    if (kind === undefined) return object.kind === 'Secret' ? [] : [`${object.kind} is none of ours`];
    try {
      parse(kind, object);
      return [];
    } catch (error) {
      return [`${object.kind} ${object.metadata.name}: ${String(error)}`];
    }
  });
}

/** In short: kind, name, name on the server, and what it should be. */
export const brief = ({ objects }: Converted): Record<string, unknown> =>
  Object.fromEntries(
    objects
      .filter(({ kind }) => kind !== 'Secret')
      .map((object) => {
        const spec = object['spec'] as { forProvider?: object };
        return [`${object.kind} ${object.metadata.name}`, spec.forProvider ?? spec];
      }),
  );
