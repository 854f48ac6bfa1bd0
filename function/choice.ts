/** Which server a claim gets, and whether it stays within what the platform allows. */
import type { ProviderConfigReference } from '../provider/api/kind.ts';
import type { ClaimSpec, EngineName } from './claim.ts';
import { ClaimError } from './errors.ts';
import type { Input, ServerClass } from './input.ts';

export interface Choice {
  engine: EngineName;
  server: ProviderConfigReference;
  /** Sessions at a time in the database, where claim or class limit them; -1 means no limit. */
  connectionLimit: number | undefined;
}

const quoted = (name: string): string => JSON.stringify(name);

function classOf(spec: ClaimSpec, input: Input): ServerClass | undefined {
  if (spec.class === undefined) return undefined;
  if (spec.serverRef !== undefined) throw new ClaimError('spec.class', 'cannot be combined with serverRef');
  const found = input.classes?.find(({ name }) => name === spec.class);
  if (found !== undefined) return found;
  const known = (input.classes ?? []).map(({ name }) => name).join(', ');
  throw new ClaimError(
    'spec.class',
    `${quoted(spec.class)} is not known; allowed: ${known === '' ? 'none, as the Composition has no classes' : known}`,
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

/** @throws ClaimError naming the field of the claim that asks for what cannot be had. */
export function choose(spec: ClaimSpec, input: Input): Choice {
  const chosen = classOf(spec, input);
  if (chosen !== undefined && spec.engine !== undefined && spec.engine !== chosen.engine)
    throw new ClaimError(
      'spec.engine',
      `${spec.engine} cannot be had from class ${chosen.name}, which is ${chosen.engine}`,
    );
  const server = chosen?.serverRef ?? spec.serverRef ?? input.defaultServerRef;
  if (server === undefined)
    throw new ClaimError('spec.serverRef', 'serverRef or class is required: the Composition has no default server');
  const engine = chosen?.engine ?? spec.engine ?? 'postgres';
  if (input.allowedEngines !== undefined && !input.allowedEngines.includes(engine))
    throw new ClaimError('spec.engine', `${engine} is not allowed; allowed: ${input.allowedEngines.join(', ')}`);
  const roles = spec.roles?.length ?? 0;
  if (input.maxRoles !== undefined && roles > input.maxRoles)
    throw new ClaimError('spec.roles', `there are ${roles}; allowed: at most ${input.maxRoles}`);
  return { engine, server, connectionLimit: connectionLimitOf(spec, chosen) };
}
