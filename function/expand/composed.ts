/** The composed resources of one claim by their keys. A key never changes: another key is another resource to Crossplane. */
import { GROUPS, type Managed, VERSION } from '../../provider/api/kind.ts';
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';

export type ComposedKind = 'Database' | 'Schema' | 'Extension' | 'Role' | 'Grant' | 'DefaultPrivileges';

/** A managed resource without the name that Crossplane gives it. */
export interface Composed<F = object> {
  apiVersion: string;
  kind: ComposedKind;
  metadata: { namespace: string; annotations?: Record<string, string> };
  spec: {
    forProvider: F;
    providerConfigRef: Managed['spec']['providerConfigRef'];
    writeConnectionSecretToRef?: { name: string };
  };
}

/** `spec.forProvider` as a user may write it: what has a default can be left out. */
export type Wanted<M extends { spec: { forProvider: object } }> = Partial<M['spec']['forProvider']>;

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
    this.#resources.set(key, {
      apiVersion: `${GROUPS.sql}/${VERSION}`,
      kind,
      metadata: {
        namespace: this.#world.namespace,
        ...(externalName === undefined ? {} : { annotations: { 'crossplane.io/external-name': externalName } }),
      },
      spec: {
        // undefined would become null on the wire, which the API server takes for a value.
        forProvider: JSON.parse(JSON.stringify(forProvider)) as object,
        providerConfigRef: { kind: this.#world.server.kind, name: this.#world.server.name },
        ...(secretName === undefined ? {} : { writeConnectionSecretToRef: { name: secretName } }),
      },
    });
  }

  get resources(): ReadonlyMap<string, Composed> {
    return this.#resources;
  }
}
