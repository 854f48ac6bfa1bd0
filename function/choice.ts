/** Which server a claim gets, what the platform adds to it, and whether it stays within what the platform allows. */
import type { EngineName } from '../provider/api/engines.ts';
import type { ProviderConfigReference } from '../provider/api/kind.ts';
import { checkCeilings } from './ceilings.ts';
import type { ClaimSpec } from './claim.ts';
import { ClaimError } from './errors.ts';
import type { Ceilings, Input, ServerClass } from './input.ts';

export interface Choice {
  engine: EngineName;
  server: ProviderConfigReference;
  className: string | undefined;
  /** The claim with what the platform adds to it. */
  spec: ClaimSpec;
  /** Sessions at a time in the database, where claim or class limit them; -1 means no limit. */
  connectionLimit: number | undefined;
}

const quoted = (name: string): string => JSON.stringify(name);

function classOf(spec: ClaimSpec, input: Input): ServerClass | undefined {
  if (spec.serverRef !== undefined && !input.allowServerRef)
    throw new ClaimError('spec.serverRef', 'is not allowed by the platform: choose a class');
  if (spec.class !== undefined && spec.serverRef !== undefined)
    throw new ClaimError('spec.class', 'cannot be combined with serverRef');
  const name = spec.class ?? (spec.serverRef === undefined ? input.defaultClass : undefined);
  if (name === undefined) return undefined;
  const found = input.classes?.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = (input.classes ?? []).map((one) => one.name).join(', ');
  throw new ClaimError(
    'spec.class',
    `${quoted(name)} is not known; allowed: ${known === '' ? 'none, as the Composition has no classes' : known}`,
  );
}

function connectionLimitOf(spec: ClaimSpec, chosen: ServerClass | undefined): number | undefined {
  const asked = spec.database?.connectionLimit;
  const most = chosen?.connectionLimit;
  if (asked === undefined || most === undefined) return asked ?? most;
  // -1 is no limit at all.
  if (asked < 0 || asked > most)
    throw new ClaimError(
      'spec.database.connectionLimit',
      `${asked} is not allowed by class ${quoted(chosen?.name ?? '')}; allowed: 0 to ${most}`,
    );
  return asked;
}

type Defaults = Input['defaults'];

/** Lists are taken whole; what belongs together in database and backup may come from both. */
function withDefaults(spec: ClaimSpec, defaults: Defaults): ClaimSpec {
  if (defaults === undefined) return spec;
  const merged: ClaimSpec = { ...defaults, ...spec };
  for (const field of ['database', 'backup'] as const)
    if (defaults[field] !== undefined && spec[field] !== undefined)
      Object.assign(merged, { [field]: { ...defaults[field], ...spec[field] } });
  return merged;
}

function ceilingsOf(input: Input, chosen: ServerClass | undefined): Ceilings {
  if (chosen === undefined) return input;
  const own = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return { ...input, ...own };
}

/** @throws ClaimError naming the field of the claim that asks for what cannot be had. */
export function choose(asked: ClaimSpec, input: Input): Choice {
  const chosen = classOf(asked, input);
  if (chosen !== undefined && asked.engine !== undefined && asked.engine !== chosen.engine)
    throw new ClaimError(
      'spec.engine',
      `${asked.engine} cannot be had from class ${chosen.name}, which is ${chosen.engine}`,
    );
  const server = chosen?.serverRef ?? asked.serverRef ?? input.defaultServerRef;
  if (server === undefined)
    throw new ClaimError('spec.serverRef', 'serverRef or class is required: the Composition has no default server');
  const engine = chosen?.engine ?? asked.engine ?? 'postgres';
  if (input.allowedEngines !== undefined && !input.allowedEngines.includes(engine))
    throw new ClaimError('spec.engine', `${engine} is not allowed; allowed: ${input.allowedEngines.join(', ')}`);
  if (input.naming?.allowOwnNames === false) refuseOwnNames(asked);
  const spec = withDefaults(withDefaults(asked, chosen?.defaults), input.defaults);
  checkCeilings(spec, ceilingsOf(input, chosen));
  return { engine, server, className: chosen?.name, spec, connectionLimit: connectionLimitOf(spec, chosen) };
}

function refuseOwnNames(spec: ClaimSpec): void {
  const message = 'is not allowed: the platform gives the names';
  if (spec.databaseName !== undefined) throw new ClaimError('spec.databaseName', message);
  for (const [index, { username }] of (spec.roles ?? []).entries())
    if (username !== undefined) throw new ClaimError(`spec.roles[${index}].username`, message);
}
