/** The end of a database whose time is over. */
import type { Database, DatabaseParameters } from '../api/database.ts';
import type { Plan, PlanContext } from './planner.ts';

export const isExpired = ({ expiresAt }: DatabaseParameters, now: Date): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();

/**
 * What is planned when the time is over: what deletion of the resource would do, and nothing more; the resource itself
 * stays, so that the database is not made again.
 * @param removal The plan of a deletion.
 */
export async function ended(
  resource: Database,
  removal: Plan,
  { reader, externalName, applied }: PlanContext,
): Promise<Plan> {
  const { expiresAt } = resource.spec.forProvider;
  const policies = resource.spec.managementPolicies ?? ['*'];
  const mayDrop = policies.includes('*') || policies.includes('Delete');
  const steps = mayDrop ? removal.steps : [];
  const isThere = (await reader.read('database', { name: externalName })) !== undefined;
  const why = mayDrop
    ? removal.notes?.[0]?.message
    : `database ${JSON.stringify(externalName)} kept: managementPolicies does not allow to delete it`;
  const expired = steps.length > 0 ? 'Dropping' : isThere ? 'Kept' : 'Dropped';
  const fate = { Dropping: 'is dropped', Dropped: 'is not there any more', Kept: why ?? 'is not of this resource' }[
    expired
  ];
  return {
    // What has ended is not created.
    exists: true,
    steps,
    unchangeable: [],
    unready: { reason: 'Expired', message: `its time was over at ${expiresAt}; ${fate}` },
    // What was applied is taken up again when the end is moved.
    ...(expired === 'Dropped' ? {} : { applied }),
    atProvider: { expired, expiresAt },
  };
}
