/** Database: spec → steps. */
import { DatabaseKind, type Database, type DatabaseParameters } from '../api/database.ts';
import { TRAITS } from '../api/engines.ts';
import { waiting } from '../common/errors.ts';
import { defined, forCreation } from './creation.ts';
import { defaultsToChange } from './database-defaults.ts';
import { ended, isExpired } from './database-expiry.ts';
import { initProgress, markOfNew, runInit } from './database-init.ts';
import { refuseContradictions, refuseUnsupported, unchangeableDrift } from './database-limits.ts';
import { isUnfinished } from './database-unfinished.ts';
import { kept, nothingLeft, reasonToKeep } from './deletion.ts';
import type { DatabaseObserved } from './model/databases.ts';
import type { Step } from './model/steps.ts';
import { isImpossibleName, refuseFoldedName, refuseLongName, refuseReservedDatabase } from './names.ts';
import { isOursToDrop, type OwnershipRecord, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { refuseRepeatedSettings, settingChanges } from './settings.ts';
import { ownDatabase } from './tenant-own.ts';
import { refuseUnknownFields } from './unknown-fields.ts';

interface Applied extends OwnershipRecord {
  /** Names of the settings that this resource set. */
  settings?: string[];
  /** This resource gave it a comment. */
  comment?: true;
  /** The database was made with an initSQL; the mark on the server says whether it is still to succeed. */
  initSQL?: true;
}

/** What PostgreSQL has as connection limit of a database whose DROP was interrupted. */
const INVALID = -2;

const nameOf = (name: string): string => `database ${JSON.stringify(name)}`;

export class DatabasePlanner implements Planner<Database> {
  readonly kind = DatabaseKind;
  readonly isNamed = true;

  async plan(resource: Database, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    refuseReservedDatabase(reader.server.engine, name);
    refuseLongName(reader.server.engine, 'database', name);
    refuseFoldedName(reader.server, name);
    if (isExpired(spec, context.now)) return await ended(resource, await this.planDelete(resource, context), context);
    const observed = await reader.read('database', { name });
    const isBegun = observed !== undefined && isHalfMade(observed, forCreation(resource), context);
    const wanted = observed === undefined || isBegun ? forCreation(resource) : spec;
    refuseUnknownFields('Database', wanted, reader.server.engine);
    refuseUnsupported(wanted, reader.server);
    refuseRepeatedSettings(wanted.settings ?? [], 'forProvider.settings');
    if (observed === undefined) refuseContradictions(wanted, reader.server);
    const plan =
      observed === undefined
        ? create(name, wanted, spec, context)
        : isBegun
          ? finish(wanted, spec, observed, context)
          : change(spec, observed, context);
    const { owner } = wanted;
    if (owner !== undefined && observed?.owner !== owner && (await reader.read('role', { name: owner })) === undefined)
      throw waiting(`role ${JSON.stringify(owner)} (forProvider.owner) does not exist yet`);
    return plan;
  }

  async planDelete(resource: Database, context: PlanContext): Promise<Plan> {
    const { dropPolicy } = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    if (isImpossibleName(reader.server.engine, name)) return nothingLeft();
    const observed = await reader.read('database', { name });
    const { tenant } = context;
    const isProven = tenant === undefined || (await ownDatabase(context, tenant)(name));
    if (observed === undefined || !isOursToDrop(observed.mark, context, isProven)) return nothingLeft();
    refuseReservedDatabase(reader.server.engine, name);
    const contents = async () =>
      // Whoever began to make or to drop it had seen that it is empty, and nobody has been inside since.
      observed.connectionLimit === INVALID || isUnfinished(observed, context.mark)
        ? { empty: true, summary: '' }
        : observed.allowConnections === false
          ? { empty: false, summary: 'what nobody can see, as it takes no connections' }
          : await reader.read('databaseContents', { name });
    const why = await reasonToKeep({ dropPolicy, adopted: wasAdopted(context), contents });
    if (why !== undefined) return kept(nameOf(name), why);
    const restrict =
      reader.server.restrictsDrops === true && dropPolicy !== 'Always' ? { restrict: true as const } : {};
    const steps: Step[] = [...leftScript(observed), { kind: 'dropDatabase', name, ...restrict }];
    // A template cannot be dropped.
    if (observed.isTemplate === true) steps.unshift({ kind: 'alterDatabase', name, isTemplate: false });
    return { exists: true, steps, unchangeable: [], atProvider: {} };
  }
}

function create(name: string, wanted: DatabaseParameters, spec: DatabaseParameters, context: PlanContext): Plan {
  const isLocalised = [
    wanted.encoding,
    wanted.collation,
    wanted.characterClassification,
    wanted.locale,
    wanted.localeProvider,
  ].some((value) => value !== undefined);
  const { locales } = TRAITS[context.reader.server.engine];
  const given = {
    owner: wanted.owner,
    template: wanted.template ?? (isLocalised ? locales?.template : undefined),
    encoding: wanted.encoding,
    collation: wanted.collation,
    characterClassification: wanted.characterClassification,
    localeProvider: wanted.localeProvider,
    locale: wanted.locale,
    icuRules: wanted.icuRules,
    // Naming the default takes a right on it that CREATE DATABASE without it does not.
    tablespace: wanted.tablespace === 'pg_default' ? undefined : wanted.tablespace,
    strategy: wanted.strategy,
    characterSet: wanted.characterSet,
    comment: wanted.comment,
    // initSQL has to connect.
    allowConnections: wanted.initSQL === undefined ? wanted.allowConnections : undefined,
    connectionLimit: wanted.connectionLimit,
    isTemplate: wanted.isTemplate,
  };
  // On a server of one's own, a right that was given beforehand may be meant.
  const leftovers = context.tenant === undefined ? {} : { revokeLeftovers: true as const };
  const steps: Step[] = [
    { kind: 'createDatabase', name, ...defined(given), mark: markOfNew(wanted, context), ...leftovers },
  ];
  for (const { name: setting, value } of wanted.settings ?? [])
    steps.push({ kind: 'setDatabaseSetting', name, setting, value });
  steps.push(...runInit(name, wanted, context));
  if (wanted.initSQL !== undefined && wanted.allowConnections === false)
    steps.push({ kind: 'alterDatabase', name, allowConnections: false });
  return {
    exists: false,
    steps,
    unchangeable: [],
    atProvider: {},
    applied: appliedOf(spec, {}, wanted.initSQL !== undefined),
  };
}

/**
 * A database and its mark are two statements, as CREATE DATABASE is in no transaction. One without any mark, which was not
 * there when we began to make it, and belongs to whom it would, is ours.
 */
function isHalfMade(observed: DatabaseObserved, wanted: DatabaseParameters, context: PlanContext): boolean {
  if (isUnfinished(observed, context.mark)) return true;
  const { admin, unmarked } = context.reader.server;
  if (context.creating !== true || observed.mark !== undefined || unmarked?.includes('Database') === true) return false;
  return observed.owner === (wanted.owner ?? admin.name);
}

/** Does what was to follow the CREATE DATABASE. */
function finish(
  wanted: DatabaseParameters,
  spec: DatabaseParameters,
  observed: DatabaseObserved,
  context: PlanContext,
): Plan {
  // One that was about to be dropped has its mark, and what that says of initSQL.
  const mark = observed.mark ?? markOfNew(wanted, context);
  const open = isUnfinished(observed, context.mark) ? opening(wanted, observed) : {};
  const plan = change(wanted, { ...observed, ...open, mark }, context);
  const { name } = observed;
  return {
    ...plan,
    steps: [
      ...(observed.mark === undefined
        ? [{ kind: 'mark' as const, on: { type: 'database' as const, name }, mark }]
        : []),
      ...(Object.keys(open).length === 0 ? [] : [{ kind: 'alterDatabase' as const, name, ...open }]),
      ...plan.steps,
    ],
    applied: appliedOf(spec, {}, wanted.initSQL !== undefined),
  };
}

/** What lets people into an unfinished database; initSQL has to connect, whoever else may. */
const opening = (
  wanted: DatabaseParameters,
  observed: DatabaseObserved,
): { owner?: string; allowConnections: boolean; connectionLimit: number } => ({
  ...(wanted.owner === undefined || wanted.owner === observed.owner ? {} : { owner: wanted.owner }),
  allowConnections: wanted.initSQL === undefined ? (wanted.allowConnections ?? true) : true,
  connectionLimit: wanted.connectionLimit ?? -1,
});

/** The login of an initSQL that was cut off, which nobody needs any more. */
const leftScript = ({ name, scriptLogin }: DatabaseObserved): Step[] =>
  scriptLogin === undefined ? [] : [{ kind: 'endScript', database: name, login: scriptLogin }];

function change(spec: DatabaseParameters, observed: DatabaseObserved, context: PlanContext): Plan {
  const { name } = observed;
  const { server } = context.reader;
  const before = appliedBefore(context.applied);
  const ownership = ownershipOf(nameOf(name), observed.mark, spec.adopt, context);
  const init = initProgress(name, spec, observed.mark, context);
  const hasInit = before.initSQL === true && !init.isGivenUp;
  const plan: Plan = {
    exists: true,
    steps: [],
    unchangeable: unchangeableDrift(spec, observed, server),
    applied: appliedOf(spec, ownership.record, hasInit),
    atProvider: defined({
      owner: observed.owner || undefined,
      encoding: observed.encoding,
      collation: observed.collation,
      initSQL: init.isFailed ? 'Failed' : hasInit && init.steps.length === 0 ? 'Succeeded' : undefined,
    }),
  };
  if (observed.connectionLimit === INVALID)
    return {
      ...plan,
      unready: {
        reason: 'InvalidDatabase',
        message: `a DROP DATABASE of ${nameOf(name)} was interrupted, after which nobody can use it; drop it, and it is made anew`,
      },
    };
  plan.steps.push(...leftScript(observed));
  if (ownership.mark) plan.steps.push({ kind: 'mark', on: { type: 'database', name }, mark: context.mark });
  const tablespace = differing(spec.tablespace, observed.tablespace);
  // Cannot be in one transaction with anything else.
  if (tablespace !== undefined) plan.steps.push({ kind: 'alterDatabase', name, tablespace });
  const alter = {
    ...defined({
      owner: differing(spec.owner, observed.owner),
      allowConnections: differing(spec.allowConnections, observed.allowConnections),
      connectionLimit: differing(spec.connectionLimit, observed.connectionLimit),
      isTemplate: differing(spec.isTemplate, observed.isTemplate),
    }),
    ...defaultsToChange(spec, observed, server.engine, before.comment === true),
  };
  const altering: Step[] = Object.keys(alter).length > 0 ? [{ kind: 'alterDatabase', name, ...alter }] : [];
  plan.steps.push(...(alter.allowConnections === false ? [...init.steps, ...altering] : [...altering, ...init.steps]));
  // Only what we set is reset: settings of others stay.
  for (const item of settingChanges(spec.settings ?? [], observed.settings ?? [], before.settings ?? []))
    plan.steps.push({ kind: 'setDatabaseSetting', name, ...item });
  return init.unready === undefined ? plan : { ...plan, unready: init.unready };
}

const differing = <T>(wanted: T | undefined, is: T | undefined): T | undefined => (wanted === is ? undefined : wanted);

function appliedOf(spec: DatabaseParameters, ownership: OwnershipRecord, hasInit: boolean): Applied {
  return {
    ...ownership,
    ...(spec.settings === undefined ? {} : { settings: spec.settings.map(({ name }) => name).toSorted() }),
    ...(spec.comment === undefined ? {} : { comment: true }),
    ...(hasInit ? { initSQL: true } : {}),
  };
}

/** The record is an annotation, which people may edit. */
function appliedBefore(value: unknown): Pick<Applied, 'settings' | 'comment' | 'initSQL'> {
  const { settings, comment, initSQL } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return {
    settings: Array.isArray(settings) ? settings.filter((name) => typeof name === 'string') : [],
    ...(comment === true ? { comment } : {}),
    ...(initSQL === true ? { initSQL } : {}),
  };
}
