/** Database: spec → steps. */
import { DatabaseKind, type Database, type DatabaseParameters } from '../api/database.ts';
import type { ServerInfo } from '../engines/engine.ts';
import { invalidSpec, waiting } from './errors.ts';
import type { DatabaseObserved, Setting, Step } from './model.ts';
import { refuseLongName, refuseReservedDatabase } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { isSameSetting } from './settings.ts';

interface Applied {
  adopted?: true;
  /** Names of the settings that this resource set. */
  settings?: string[];
  initSQL?: 'Succeeded';
}

const nothing = (notes: Plan['notes'] = []): Plan => ({
  exists: false,
  steps: [],
  unchangeable: [],
  atProvider: {},
  notes,
});

export class DatabasePlanner implements Planner<Database> {
  readonly kind = DatabaseKind;

  async plan(resource: Database, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { server } = context.reader;
    const name = context.externalName;
    refuseReservedDatabase(server.engine, name);
    refuseLongName(server.engine, 'database', name);
    refuseByVersion(spec, server);
    const observed = await context.reader.read('database', { name });
    if (
      spec.owner !== undefined &&
      observed?.owner !== spec.owner &&
      (await context.reader.read('role', { name: spec.owner })) === undefined
    )
      throw waiting(`role ${JSON.stringify(spec.owner)} (forProvider.owner) does not exist yet`);
    return observed === undefined ? create(name, initial(resource), context) : change(spec, observed, context);
  }

  async planDelete(resource: Database, context: PlanContext): Promise<Plan> {
    const name = context.externalName;
    const observed = await context.reader.read('database', { name });
    if (observed === undefined || !isOursToDrop(observed.mark, context)) return nothing();
    refuseReservedDatabase(context.reader.server.engine, name);
    const kept = await reasonToKeep(resource.spec.forProvider, name, context);
    if (kept !== undefined)
      return nothing([
        { reason: 'KeptExternalResource', message: `database ${JSON.stringify(name)} is kept: ${kept}` },
      ]);
    return { exists: true, steps: [{ kind: 'dropDatabase', name }], unchangeable: [], atProvider: {} };
  }
}

async function reasonToKeep(spec: DatabaseParameters, name: string, context: PlanContext): Promise<string | undefined> {
  if (spec.dropPolicy === 'Always') return undefined;
  if (spec.dropPolicy === 'Never') return 'dropPolicy is Never';
  if (wasAdopted(context)) return 'it was there before this resource; dropPolicy: Always drops it';
  const contents = await context.reader.read('databaseContents', { name });
  return contents.empty ? undefined : `it holds ${contents.summary}; dropPolicy: Always drops it`;
}

/** What a new database gets: initProvider counts for creation only. */
const initial = (resource: Database): DatabaseParameters => ({
  ...resource.spec.initProvider,
  ...resource.spec.forProvider,
});

function create(name: string, spec: DatabaseParameters, context: PlanContext): Plan {
  const isLocalised = [
    spec.encoding,
    spec.collation,
    spec.characterClassification,
    spec.locale,
    spec.localeProvider,
  ].some((value) => value !== undefined);
  const isPostgres = context.reader.server.engine === 'postgres';
  const {
    owner,
    encoding,
    collation,
    characterClassification,
    localeProvider,
    locale,
    icuRules,
    tablespace,
    strategy,
    characterSet,
    comment,
  } = spec;
  // template1 may hold data in its own encoding and collation, so PostgreSQL refuses any other for copies of it.
  const template = spec.template ?? (isLocalised && isPostgres ? 'template0' : undefined);
  const given = {
    owner,
    template,
    encoding,
    collation,
    characterClassification,
    localeProvider,
    locale,
    icuRules,
    tablespace,
    strategy,
    characterSet,
    comment,
    allowConnections: spec.allowConnections,
    connectionLimit: spec.connectionLimit,
    isTemplate: spec.isTemplate,
  };
  const steps: Step[] = [{ kind: 'createDatabase', name, ...defined(given), mark: context.mark }];
  for (const setting of spec.settings ?? [])
    steps.push({ kind: 'setDatabaseSetting', name, setting: setting.name, value: setting.value });
  if (spec.initSQL !== undefined)
    steps.push({
      kind: 'initSQL',
      database: name,
      owner: owner ?? context.reader.server.admin.name,
      sql: spec.initSQL,
    });
  if (spec.initSQL !== undefined && owner === undefined)
    throw invalidSpec('forProvider.initSQL needs forProvider.owner: it runs as the owner, never as the administrator');
  return {
    exists: false,
    steps,
    unchangeable: [],
    atProvider: {},
    applied: appliedOf(spec, false, spec.initSQL === undefined ? undefined : 'Succeeded'),
  };
}

function change(spec: DatabaseParameters, observed: DatabaseObserved, context: PlanContext): Plan {
  const { name } = observed;
  const before = (context.applied ?? {}) as Applied;
  const ownership = ownershipOf(`database ${JSON.stringify(name)}`, observed.mark, spec.adopt, context);
  const steps: Step[] = [];
  if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'database', name }, mark: context.mark });
  const alter = defined({
    owner: differing(spec.owner, observed.owner),
    allowConnections: differing(spec.allowConnections, observed.allowConnections),
    connectionLimit: differing(spec.connectionLimit, observed.connectionLimit),
    isTemplate: differing(spec.isTemplate, observed.isTemplate),
    characterSet:
      context.reader.server.engine === 'postgres' ? undefined : differing(spec.characterSet, observed.encoding),
  });
  const tablespace = differing(spec.tablespace, observed.tablespace);
  if (tablespace !== undefined) steps.push({ kind: 'alterDatabase', name, tablespace });
  if (Object.keys(alter).length > 0) steps.push({ kind: 'alterDatabase', name, ...alter });
  steps.push(...settingSteps(name, spec.settings ?? [], observed.settings ?? [], before.settings ?? []));
  return {
    exists: true,
    steps,
    unchangeable: unchangeable(spec, observed, context.reader.server),
    applied: appliedOf(spec, ownership.adopted, before.initSQL),
    atProvider: defined({
      owner: observed.owner,
      encoding: observed.encoding,
      collation: observed.collation,
      initSQL: before.initSQL,
    }),
  };
}

function settingSteps(
  name: string,
  wanted: readonly Setting[],
  observed: readonly Setting[],
  applied: readonly string[],
): Step[] {
  const has = new Map(observed.map((setting) => [setting.name.toLowerCase(), setting.value]));
  const steps: Step[] = wanted
    .filter((setting) => !isSameSetting(setting.name, setting.value, has.get(setting.name.toLowerCase())))
    .map((setting) => ({ kind: 'setDatabaseSetting', name, setting: setting.name, value: setting.value }));
  const kept = new Set(wanted.map((setting) => setting.name.toLowerCase()));
  // Only what we set is reset: settings of others stay.
  for (const setting of applied)
    if (!kept.has(setting.toLowerCase()) && has.has(setting.toLowerCase()))
      steps.push({ kind: 'setDatabaseSetting', name, setting, value: null });
  return steps;
}

const appliedOf = (spec: DatabaseParameters, adopted: boolean, initSQL: Applied['initSQL']): Applied => ({
  ...(adopted ? { adopted: true as const } : {}),
  ...(spec.settings === undefined ? {} : { settings: spec.settings.map((setting) => setting.name).toSorted() }),
  ...(initSQL === undefined ? {} : { initSQL }),
});

function unchangeable(spec: DatabaseParameters, observed: DatabaseObserved, server: ServerInfo): string[] {
  if (server.engine !== 'postgres') return [];
  const fixed: [field: string, wanted: string | undefined, is: string | undefined][] = [
    ['encoding', spec.encoding?.toUpperCase().replace(/^UTF-8$/, 'UTF8'), observed.encoding],
    ['collation', spec.collation, observed.collation],
    ['characterClassification', spec.characterClassification, observed.characterClassification],
    ['localeProvider', spec.localeProvider, observed.localeProvider],
    ['locale', spec.locale, observed.locale],
  ];
  return fixed
    .filter(([, wanted, is]) => wanted !== undefined && is !== undefined && normalLocale(wanted) !== normalLocale(is))
    .map(
      ([field, wanted, is]) =>
        `forProvider.${field} is ${JSON.stringify(wanted)} and the database has ${JSON.stringify(is)}, which PostgreSQL cannot change: dump it and restore it into a new database`,
    );
}

/** en_US.UTF-8 and en_US.utf8 are one locale. */
const normalLocale = (text: string): string => text.toLowerCase().replace(/utf-8$/, 'utf8');

function refuseByVersion(spec: DatabaseParameters, server: ServerInfo): void {
  if (server.engine !== 'postgres') return;
  const needs = (field: string, wanted: boolean, major: number): void => {
    if (wanted && server.major < major)
      throw invalidSpec(`forProvider.${field} needs PostgreSQL ${major} or newer; the server is ${server.product}`);
  };
  needs('strategy', spec.strategy !== undefined, 15);
  needs('localeProvider', spec.localeProvider !== undefined, 15);
  needs('localeProvider: builtin', spec.localeProvider === 'builtin', 17);
  needs('icuRules', spec.icuRules !== undefined, 16);
}

const differing = <T>(wanted: T | undefined, is: T | undefined): T | undefined => (wanted === is ? undefined : wanted);

/** Without the keys whose value is undefined. */
const defined = <T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
