/** The composed resources of one claim by their keys. A key never changes: another key is another resource to Crossplane. */
import { GROUPS, type GroupName, type ManagementPolicy, type Managed, VERSION } from '../../provider/api/kind.ts';
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';

const GROUP_OF = {
  Database: 'sql',
  Schema: 'sql',
  Extension: 'sql',
  Role: 'sql',
  Grant: 'sql',
  DefaultPrivileges: 'sql',
  BackupSchedule: 'backup',
  Copy: 'backup',
  Restore: 'backup',
} as const satisfies Record<string, GroupName>;

export type ComposedKind = keyof typeof GROUP_OF;

/** A managed resource without the name that Crossplane gives it. */
export interface Composed<F = object> {
  apiVersion: string;
  kind: ComposedKind;
  metadata: { namespace: string; annotations?: Record<string, string> };
  spec: {
    forProvider: F;
    providerConfigRef: Managed['spec']['providerConfigRef'];
    managementPolicies?: ManagementPolicy[];
    writeConnectionSecretToRef?: { name: string };
  };
}

/** `spec.forProvider` as a user may write it: what has a default can be left out. */
export type Wanted<M extends { spec: { forProvider: object } }> = {
  [K in keyof M['spec']['forProvider']]?: M['spec']['forProvider'][K] | undefined;
};

/** Everything but Delete. */
const ORPHAN: ManagementPolicy[] = ['Observe', 'Create', 'Update', 'LateInitialize'];

export class ComposedSet {
  readonly #world: World;
  readonly #resources = new Map<string, Composed>();

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * @param externalName Name on the server, of kinds that have one.
   * @throws ClaimError when two resources would have the same key.
   */
  add(
    key: string,
    kind: ComposedKind,
    forProvider: object,
    { externalName, secretName }: { externalName?: string; secretName?: string } = {},
  ): void {
    if (this.#resources.has(key))
      throw new ClaimError(
        'spec',
        `names that cannot be told apart: both would become the resource ${JSON.stringify(key)}`,
      );
    const { server, namespace, spec } = this.#world;
    this.#resources.set(key, {
      apiVersion: `${GROUPS[GROUP_OF[kind]]}/${VERSION}`,
      kind,
      metadata: {
        namespace,
        ...(externalName === undefined ? {} : { annotations: { 'crossplane.io/external-name': externalName } }),
      },
      spec: {
        forProvider,
        providerConfigRef: { kind: server.kind, name: server.name },
        ...(spec.deletionPolicy === 'Orphan' ? { managementPolicies: ORPHAN } : {}),
        ...(secretName === undefined ? {} : { writeConnectionSecretToRef: { name: secretName } }),
      },
    });
  }

  get resources(): ReadonlyMap<string, Composed> {
    return this.#resources;
  }
}
