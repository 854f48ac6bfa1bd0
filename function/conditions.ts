/** Conditions of the composite, which Crossplane copies to the claim. */
import { type Condition, type RunFunctionRequest, Status, Target } from '@crossplane-org/function-sdk-typescript';
import { healthOf } from './backup-status.ts';
import type { ComposedKind } from './expand/composed.ts';
import type { Progress } from './progress.ts';
import type { Stage } from './stages.ts';
import type { World } from './world.ts';

interface Group {
  type: string;
  kinds: readonly ComposedKind[];
  what: string;
  /** Whether what is to come after the data is of it. */
  isLater: boolean;
}

const GROUPS: readonly Group[] = [
  {
    type: 'DatabaseReady',
    kinds: ['Database', 'Copy', 'Restore', 'Schema', 'Extension'],
    what: 'The database',
    isLater: false,
  },
  { type: 'RolesReady', kinds: ['Role'], what: 'Roles', isLater: true },
  { type: 'GrantsReady', kinds: ['Grant', 'DefaultPrivileges'], what: 'Privileges', isLater: true },
];

/** Whether the claim asks for what can be had; while it does not, everything stays as it is. */
export const ACCEPTED = 'Accepted';
/** What a claim says of what it stands for. */
export const CONDITION_TYPES: readonly string[] = [...GROUPS.map(({ type }) => type), 'BackupHealthy'];

interface Standing {
  stage: Stage;
  all: readonly Progress[];
  later: readonly string[];
}

type Words = Pick<Condition, 'status' | 'reason' | 'message'>;

const no = (reason: string, message: string): Words => ({ status: Status.STATUS_CONDITION_FALSE, reason, message });

const others = (count: number): string => (count > 0 ? ` (and ${count} more)` : '');

function wordsOf(group: Group, { stage, all, later }: Standing, expiresAt: string | undefined): Words {
  if (stage === 'Expired') return no('Expired', `its time was over at ${expiresAt ?? ''}`);
  const own = all.filter(({ kind }) => group.kinds.includes(kind));
  const failing = own.filter((one) => one.failure !== undefined);
  const [worst] = failing;
  if (worst !== undefined) return no('Failing', `${worst.label}: ${worst.failure}${others(failing.length - 1)}`);
  const waiting = own.filter(({ ready }) => !ready);
  const [first] = waiting;
  if (first !== undefined) {
    const more = waiting.length > 1 ? ` and ${waiting.length - 1} more` : '';
    return no('Creating', `waiting for ${first.label}${more}`);
  }
  if (group.isLater && later.length > 0) return no('Filling', 'waiting for the data of the database');
  return { status: Status.STATUS_CONDITION_TRUE, reason: 'Available', message: `${group.what}: all in place` };
}

/** Every condition every time: one that is missing would be kept as it was. */
export function conditionsOf(request: RunFunctionRequest, world: World, standing: Standing): Condition[] {
  const target = Target.TARGET_COMPOSITE_AND_CLAIM;
  return [
    {
      type: ACCEPTED,
      target,
      status: Status.STATUS_CONDITION_TRUE,
      reason: 'Accepted',
      message: 'Everything that is asked for can be had',
    },
    ...GROUPS.map((group) => ({ type: group.type, target, ...wordsOf(group, standing, world.expiresAt) })),
    { type: 'BackupHealthy', target, ...healthOf(request, world, standing) },
  ];
}
