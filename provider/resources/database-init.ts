/**
 * initSQL runs once, and a failure is neither hidden nor tried again blindly. Where it stands is written into the mark
 * that the database carries: `#initSQL-pending` until it is begun, then `#initSQL-` and a digest of its text until it
 * has succeeded. So a script that died half-way, with this process or without, is told from one that never began.
 */
import { createHash } from 'node:crypto';
import type { DatabaseParameters } from '../api/database.ts';
import { invalidSpec } from '../common/errors.ts';
import type { Mark } from './model/objects.ts';
import type { Step } from './model/steps.ts';
import type { Plan, PlanContext } from './planner.ts';

const SEPARATOR = '#initSQL-';
const PENDING = 'pending';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

const stateIn = (mark: Mark, state: string): Mark => ({ ...mark, resource: `${mark.resource}${SEPARATOR}${state}` });

/** The mark of a database that is just being made. */
export const markOfNew = (spec: DatabaseParameters, context: PlanContext): Mark =>
  spec.initSQL === undefined ? context.mark : stateIn(context.mark, PENDING);

export function runInit(name: string, spec: DatabaseParameters, context: PlanContext): Step[] {
  if (spec.initSQL === undefined) return [];
  const owner = context.reader.server.accounts === undefined ? spec.owner : '';
  if (owner === undefined)
    throw invalidSpec('forProvider.initSQL needs forProvider.owner: it runs as the owner, never as the administrator');
  const on = { type: 'database' as const, name };
  return [
    { kind: 'mark', on, mark: stateIn(context.mark, digestOf(spec.initSQL)) },
    { kind: 'initSQL', database: name, owner, sql: spec.initSQL },
    { kind: 'mark', on, mark: context.mark },
  ];
}

export interface InitProgress {
  steps: Step[];
  isFailed: boolean;
  /** Whether the script that creation asked for is no longer wanted. */
  isGivenUp: boolean;
  unready?: NonNullable<Plan['unready']>;
}

/** What is left to do for initSQL on a database that is there. */
export function initProgress(
  name: string,
  spec: DatabaseParameters,
  mark: Mark | undefined,
  context: PlanContext,
): InitProgress {
  const state = mark?.uid === context.mark.uid ? mark.resource.split(SEPARATOR)[1] : undefined;
  if (state === undefined) return { steps: [], isFailed: false, isGivenUp: false };
  if (spec.initSQL === undefined)
    return {
      steps: [{ kind: 'mark', on: { type: 'database', name }, mark: context.mark }],
      isFailed: false,
      isGivenUp: true,
    };
  if (state !== digestOf(spec.initSQL))
    return { steps: runInit(name, spec, context), isFailed: false, isGivenUp: false };
  return {
    steps: [],
    isFailed: true,
    isGivenUp: false,
    unready: {
      reason: 'InitSQLFailed',
      message: `forProvider.initSQL failed or was interrupted in database ${JSON.stringify(name)}, and is not run again by itself; events of this resource have the server's answer. Change its text to run it again, or remove it to take the database as it is`,
    },
  };
}
