/**
 * Fills `x` from `xRef` or `xSelector` with the external name of the object referred to. References stay inside the
 * namespace: a reference into another one would reach another tenant's database.
 */
import type { KindDefinition, Managed } from '../../api/kind.ts';
import { roleReference } from '../../api/role.ts';
import { ResourceError } from '../../common/errors.ts';
import { ANNOTATION, annotation, isDeleted } from './annotations.ts';
import type { ReferenceResolver } from './options.ts';

interface Policy {
  resolve?: 'Always' | 'IfNotPresent';
  resolution?: 'Required' | 'Optional';
}
interface Ref {
  name: string;
  policy?: Policy;
}
interface Selector {
  matchLabels?: Record<string, string>;
  matchControllerRef?: boolean;
  policy?: Policy;
}

/** Finds managed resources by kind, newest known versions. */
export interface Lookup {
  get(kind: string, namespace: string, name: string): Managed | undefined;
  list(kind: string, namespace: string): Managed[];
}

type Fields = Record<string, unknown>;

export class References implements ReferenceResolver {
  readonly #definition: KindDefinition;
  readonly #lookup: Lookup;

  constructor(definition: KindDefinition, lookup: Lookup) {
    this.#definition = definition;
    this.#lookup = lookup;
  }

  // oxlint-disable-next-line typescript/require-await -- a resolver over another store may have to wait
  async resolve(resource: Managed): Promise<Record<string, unknown>> {
    const fields = resource.spec.forProvider;
    const patch: Record<string, unknown> = {};
    for (const { field, kind } of this.#definition.references)
      Object.assign(patch, this.#field(resource, fields, field, kind, `forProvider.${field}`));
    // The one list of references there is: roles that a Role is a member of.
    const groups = fields['memberOf'];
    if (Array.isArray(groups)) {
      const resolved = groups.map((group: Fields, index) => ({
        ...group,
        ...this.#field(resource, group, 'role', 'Role', `forProvider.memberOf[${index}].role`),
      }));
      if (resolved.some((group, index) => group['role'] !== (groups[index] as Fields)['role']))
        patch['memberOf'] = resolved;
    }
    return patch;
  }

  #field(resource: Managed, fields: Fields, field: string, kind: string, path: string): Fields {
    const ref = fields[`${field}Ref`] as Ref | undefined;
    const selector = fields[`${field}Selector`] as Selector | undefined;
    const policy = ref?.policy ?? selector?.policy;
    if (ref === undefined && selector === undefined) return {};
    if (fields[field] !== undefined && policy?.resolve !== 'Always') return {};
    try {
      const target =
        ref === undefined ? this.#select(resource, selector ?? {}, kind, path) : this.#named(resource, ref, kind, path);
      const value = annotation(target, ANNOTATION.externalName);
      if (!value)
        throw new ResourceError(
          'ReferenceNotReady',
          `${path}: the ${kind} ${JSON.stringify(target.metadata.name)} has no external name yet (referenced resource may not yet be ready)`,
        );
      const host = target.spec.forProvider['host'];
      const named = kind === 'Role' && typeof host === 'string' ? roleReference(value, host) : value;
      return named === fields[field] ? {} : { [field]: named };
    } catch (error) {
      if (policy?.resolution === 'Optional') return {};
      throw error;
    }
  }

  #named(resource: Managed, ref: Ref, kind: string, path: string): Managed {
    const namespace = resource.metadata.namespace ?? '';
    const target = this.#lookup.get(kind, namespace, ref.name);
    if (target === undefined)
      throw new ResourceError(
        'ReferenceNotFound',
        `${path}: there is no ${kind} ${JSON.stringify(ref.name)} in namespace ${JSON.stringify(namespace)}`,
      );
    return target;
  }

  #select(resource: Managed, selector: Selector, kind: string, path: string): Managed {
    const controller = resource.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
    const found = this.#lookup
      .list(kind, resource.metadata.namespace ?? '')
      .filter((candidate) => !isDeleted(candidate))
      .filter((candidate) =>
        Object.entries(selector.matchLabels ?? {}).every(
          ([label, value]) => candidate.metadata.labels?.[label] === value,
        ),
      )
      .filter(
        (candidate) =>
          !selector.matchControllerRef ||
          (controller !== undefined &&
            candidate.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === controller)),
      )
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0];
    if (found === undefined)
      throw new ResourceError('ReferenceNotFound', `${path}: no ${kind} in this namespace matches the selector`);
    return found;
  }
}
