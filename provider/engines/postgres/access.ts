/**
 * An administrator that is no superuser gets into a database of others because everybody may. Whoever closes it to
 * everybody, or gives it away, would lock out the administrator: so that gets a CONNECT of its own first.
 */
import type { Acting } from '../../resources/grant-authority.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';

/** The steps, with a grant before each that takes CONNECT from PUBLIC in somebody else's name. */
export function withOwnAccess(steps: readonly Step[], { admin }: ServerInfo): Step[] {
  if (admin.superUser) return [...steps];
  return steps.flatMap((step): Step[] => {
    if (!locksOut(step)) return [step];
    const { grantor, borrow } = step as Acting;
    // Who revokes by rights of its own is the owner, or has what it can pass on.
    if (grantor === undefined || grantor === admin.name) return [step];
    const acting: Acting = { grantor, ...(borrow === true ? { borrow } : {}) };
    const grant: Step = { kind: 'grant', on: step.on, to: { name: admin.name }, privileges: ['CONNECT'], ...acting };
    return [grant, step];
  });
}

type Revoke = Extract<Step, { kind: 'revoke' }>;

const locksOut = (step: Step): step is Revoke =>
  step.kind === 'revoke' &&
  step.on.type === 'database' &&
  step.from.public === true &&
  step.grantOptionOnly !== true &&
  step.privileges.includes('CONNECT');
