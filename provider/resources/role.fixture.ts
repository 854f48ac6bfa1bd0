/** The planner of roles, and a role `app` that a test of it finds on the server. */
import { Secret } from '../common/secret.ts';
import type { RoleObserved } from './model/roles.ts';
import { type Circumstances, ours, role } from './planning.fixture.ts';
import { RolePlanner } from './role.ts';

export const planner = new RolePlanner() as never;
export const password = { value: new Secret('s3cret'), generated: true };

export const existing = (more: Partial<RoleObserved> = {}, circumstances: Circumstances = {}): Circumstances => ({
  externalName: 'app',
  ...circumstances,
  answers: {
    role: ({ name }) => (name === 'app' ? role('app', { mark: ours, ...more }) : role(name)),
    ...circumstances.answers,
  },
});

export const attributes = (change: RoleObserved['attributes']): Partial<RoleObserved> => ({
  attributes: { ...role('app').attributes, ...change },
});
