/** Management policies: which sets are supported, and what each allows (crossplane-runtime's rules). */
import type { ManagementPolicy } from '../../api/kind.ts';

/** Sets without `*`, each sorted and joined. Five policies together are the same as `*`. */
const SUPPORTED = new Set(
  [
    'Observe',
    'Observe Create Update Delete LateInitialize',
    'Observe Create Update Delete',
    'Observe Create Update LateInitialize',
    'Observe Create Update',
    'Observe Create Delete LateInitialize',
    'Observe Create LateInitialize',
    'Observe Create Delete',
    'Observe Create',
    'Observe Delete',
    'Observe Update',
    'Observe Update LateInitialize',
    'Observe LateInitialize',
  ].map((set) => set.split(' ').toSorted().join(' ')),
);

/** What the provider may do about a resource. */
export interface Policies {
  /** Whether it is a set that Crossplane defines: with any other nothing is done. */
  readonly supported: boolean;
  /** An empty list. */
  readonly paused: boolean;
  readonly observeOnly: boolean;
  readonly mayCreate: boolean;
  readonly mayUpdate: boolean;
  readonly mayDelete: boolean;
  readonly mayLateInitialize: boolean;
}

/** What a list of policies allows; undefined is the default, `["*"]`. */
export function policiesOf(list: readonly ManagementPolicy[] | undefined): Policies {
  const policies = new Set(list ?? ['*']);
  const may = (policy: ManagementPolicy): boolean => policies.has('*') || policies.has(policy);
  const key = [...policies].toSorted().join(' ');
  return {
    supported: policies.size === 0 || key === '*' || SUPPORTED.has(key),
    paused: policies.size === 0,
    observeOnly: key === 'Observe',
    mayCreate: may('Create'),
    mayUpdate: may('Update'),
    mayDelete: may('Delete'),
    mayLateInitialize: may('LateInitialize'),
  };
}
