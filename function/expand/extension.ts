import type { Extension } from '../../provider/api/extension.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

export function expandExtensions({ spec, database }: World, composed: ComposedSet): void {
  for (const { name, version, schema, cascade } of spec.extensions ?? []) {
    // A copy has those of its source.
    const adopt = spec.adopt || spec.source !== undefined;
    const wanted: Wanted<Extension> = {
      database,
      extension: name,
      version,
      schema,
      cascade,
      ...(adopt ? { adopt } : {}),
    };
    composed.add(`extension-${name}`, 'Extension', wanted);
  }
}
