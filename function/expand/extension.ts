import type { Extension } from '../../provider/api/extension.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

export function expandExtensions(world: World, composed: ComposedSet): void {
  for (const { name, version, schema } of world.spec.extensions ?? []) {
    const wanted: Wanted<Extension> = { database: world.database, extension: name, version, schema };
    composed.add(`extension-${name}`, 'Extension', wanted);
  }
}
