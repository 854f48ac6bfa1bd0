/** Rights as Grants: as few as can say them, as one Grant takes one list of privileges for each kind of object in a schema. */
import type { FoundRight } from '../resources/model/discovery.ts';
import type { ObjectTarget, ObjectType } from '../resources/model/objects.ts';

type Fields = Record<string, unknown>;

/** Lists of a Grant's schema, which may stand under `also`. */
const IN_SCHEMA: Partial<Record<ObjectType, string>> = {
  table: 'tables',
  sequence: 'sequences',
  routine: 'routines',
  type: 'types',
};
/** Lists that need a Grant of their own. */
const BY_ITSELF: Partial<Record<ObjectType, string>> = {
  language: 'languages',
  foreignDataWrapper: 'foreignDataWrappers',
  foreignServer: 'foreignServers',
  tablespace: 'tablespaces',
  parameter: 'parameters',
  largeObject: 'largeObjects',
};
/** What is no list: a Grant has one of it, and nothing besides. */
const ALONE: Partial<Record<ObjectType, (on: ObjectTarget) => Fields>> = {
  global: () => ({ system: true }),
  databasePattern: ({ name }) => ({ databasePattern: name }),
  proxy: ({ name }) => ({ proxyOf: name }),
};
/** Entries that `also` takes. */
const MOST_PARTS = 64;

/** The fields of forProvider of each Grant. */
export function importedGrants(rights: readonly FoundRight[]): Fields[] {
  const grantees = Map.groupBy(rights, ({ on, to, withOption, exclusive }) =>
    JSON.stringify([on.database ?? null, to.public === true ? null : to.name, withOption, exclusive]),
  );
  return [...grantees.values()].flatMap(grantsOfOne);
}

/** The grants of one grantee in one database, all with the grant option or all without. */
function grantsOfOne(rights: readonly FoundRight[]): Fields[] {
  const [first] = rights;
  if (first === undefined) return [];
  const { on, to, withOption, exclusive } = first;
  const common: Fields = {
    role: to.public === true ? 'PUBLIC' : to.name,
    ...(on.database === undefined ? {} : { database: on.database }),
    ...(withOption ? { withOption } : {}),
    ...(exclusive ? { exclusive } : {}),
  };
  const places = Map.groupBy(rights, ({ on: { type, schema } }) => JSON.stringify([type, schema ?? null]));
  // Of what a Grant can say once in a place, the nth goes into the nth Grant.
  const layers: Fields[][] = [];
  const single: Fields[] = [];
  for (const inPlace of places.values())
    (ALONE[inPlace[0]!.on.type] === undefined ? partsOf(inPlace) : inPlace.map(alone)).forEach((part, index) => {
      if (isInDatabase(inPlace[0]!.on.type)) (layers[index] ??= []).push(part);
      else single.push(part);
    });
  const chunks = layers.flatMap((parts) => {
    // What is on the database itself has no schema that it would not take from the Grant.
    const ordered = parts.toSorted((a, b) => Number(a['schema'] !== undefined) - Number(b['schema'] !== undefined));
    return Array.from({ length: Math.ceil(ordered.length / (MOST_PARTS + 1)) }, (_, n) =>
      ordered.slice(n * (MOST_PARTS + 1), (n + 1) * (MOST_PARTS + 1)),
    );
  });
  return [
    ...chunks.map(([own = {}, ...also]) => ({ ...common, ...own, ...(also.length === 0 ? {} : { also }) })),
    ...single.map((part) => ({ ...common, ...part })),
  ];
}

const isInDatabase = (type: ObjectType): boolean => BY_ITSELF[type] === undefined && ALONE[type] === undefined;

const alone = ({ on, privileges }: FoundRight): Fields => ({
  ...ALONE[on.type]?.(on),
  ...(on.type === 'proxy' ? {} : { privileges }),
});

/** One part for each list of privileges; columns stand apart for each table and list. */
function partsOf(rights: readonly FoundRight[]): Fields[] {
  const columns = Map.groupBy(
    rights.filter(({ on }) => on.columns !== undefined),
    ({ on, privileges }) => JSON.stringify([on.name, privileges]),
  );
  const whole = Map.groupBy(
    rights.filter(({ on }) => on.columns === undefined),
    ({ privileges }) => JSON.stringify(privileges),
  );
  return [
    ...[...whole.values()].map((same) => partOf(same)),
    ...[...columns.values()].map((same) => ({
      ...partOf(same.slice(0, 1)),
      columns: same.flatMap(({ on }) => on.columns ?? []),
    })),
  ];
}

function partOf(rights: readonly FoundRight[]): Fields {
  const { on, privileges } = rights[0]!;
  const list = IN_SCHEMA[on.type] ?? BY_ITSELF[on.type];
  return {
    ...(on.schema === undefined ? {} : { schema: on.schema }),
    ...(list === undefined ? {} : { [list]: rights.map((right) => item(right.on)) }),
    privileges,
  };
}

function item({ type, name, args, routineType }: ObjectTarget): unknown {
  if (type !== 'routine') return name;
  return routineType === undefined ? { name, args: args ?? [] } : { name, type: routineType };
}
