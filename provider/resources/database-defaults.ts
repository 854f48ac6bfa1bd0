/** Character set, collation and comment of a database, on servers where they are defaults that can be changed. */
import type { DatabaseParameters } from '../api/database.ts';
import type { EngineName } from '../api/engines.ts';
import { defined } from './creation.ts';
import type { DatabaseObserved } from './model/databases.ts';

/** What can be changed at any time; elsewhere it is what a database is made with, and for ever. */
const CHANGEABLE: Record<EngineName, readonly ('characterSet' | 'collation' | 'comment')[]> = {
  postgres: [],
  cockroachdb: [],
  mysql: ['characterSet', 'collation'],
  mariadb: ['characterSet', 'collation', 'comment'],
};

export interface Defaults {
  characterSet?: string;
  collation?: string;
  comment?: string;
}

/** `hadComment`: whether an earlier spec gave one. */
export function defaultsToChange(
  spec: DatabaseParameters,
  observed: DatabaseObserved,
  engine: EngineName,
  hadComment: boolean,
): Defaults {
  const { characterSet, collation } = spec;
  const isOtherSet = characterSet !== undefined && normal(characterSet) !== normal(observed.encoding);
  const isOtherCollation = collation !== undefined && !isSameCollation(collation, observed);
  const comment = spec.comment ?? (hadComment ? '' : undefined);
  const changes: Defaults = defined({
    characterSet: isOtherSet ? characterSet : undefined,
    // A new character set brings its own collation.
    collation: isOtherSet || isOtherCollation ? collation : undefined,
    comment: comment === (observed.comment ?? '') ? undefined : comment,
  });
  const may: readonly string[] = CHANGEABLE[engine];
  return Object.fromEntries(Object.entries(changes).filter(([field]) => may.includes(field)));
}

/** utf8 is the old name of utf8mb3. */
const normal = (name: string): string => name.toLowerCase().replace(/^utf8(?=_|$)/, 'utf8mb3');

/** MariaDB takes `uca1400_ai_ci` for that collation of whatever character set the database has. */
const isSameCollation = (wanted: string, { encoding, collation }: DatabaseObserved): boolean =>
  normal(wanted) === normal(collation) || normal(`${encoding}_${wanted}`) === normal(collation);
