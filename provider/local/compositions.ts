/** What a platform's own files say of a claim: its XRD which composite it becomes, its Composition what the function is told. */
import type { KubeObject } from '../api/kind.ts';
import { ManifestError } from './manifests.ts';

type Fields = Record<string, unknown>;

/** Of the kinds that this release installs. */
const CLAIMS: Readonly<Record<string, string>> = { 'claim.xdatabase.dev/XDatabase': 'CompositeXDatabase' };
const COMPOSITES: readonly string[] = ['claim.xdatabase.dev/CompositeXDatabase', 'xdatabase.dev/XDatabase'];
const INPUT_GROUP = 'fn.xdatabase.dev';

const groupOf = (apiVersion: string): string => apiVersion.split('/', 1)[0] ?? '';
const keyOf = ({ apiVersion, kind }: { apiVersion: string; kind: string }): string => `${groupOf(apiVersion)}/${kind}`;

export class Compositions {
  /** Kinds of claims, and of the composite that one becomes. */
  readonly #claims = new Map<string, string>(Object.entries(CLAIMS));
  readonly #composites = new Set<string>(COMPOSITES);
  readonly #compositions: KubeObject[] = [];

  /** Among other manifests; those are left alone. */
  constructor(objects: readonly KubeObject[]) {
    for (const object of objects) {
      if (groupOf(object.apiVersion) !== 'apiextensions.crossplane.io') continue;
      if (object.kind === 'Composition') this.#addComposition(object);
      else if (object.kind === 'CompositeResourceDefinition') this.#addDefinition(object);
    }
  }

  /** Whether the function makes resources of it. */
  isComposite(object: KubeObject): boolean {
    return this.#claims.has(keyOf(object)) || this.#composites.has(keyOf(object));
  }

  /** The kind of the composite that Crossplane makes of it; undefined for what is a composite itself. */
  compositeKind(claim: KubeObject): string | undefined {
    return this.#claims.get(keyOf(claim));
  }

  /**
   * The function's input in the Composition of an object; undefined when there is no Composition.
   * @throws ManifestError when there are several, none of which the object names.
   */
  inputFor(object: KubeObject): Fields | undefined {
    const kind = this.compositeKind(object) ?? object.kind;
    const spec = (object['spec'] ?? {}) as { compositionRef?: { name?: string }; crossplane?: Fields };
    const reference = spec.compositionRef ?? (spec.crossplane?.['compositionRef'] as { name?: string } | undefined);
    const found = this.#compositions.filter(
      (composition) =>
        keyOf(typeOf(composition)) === `${groupOf(object.apiVersion)}/${kind}` &&
        (reference?.name === undefined || reference.name === composition.metadata.name),
    );
    if (found.length > 1)
      throw new ManifestError(
        `${object.kind} ${object.metadata.name}: the Compositions ${found.map(({ metadata }) => metadata.name).join(' and ')} are for it; give one of them, or name one in compositionRef`,
      );
    return found[0] === undefined ? undefined : inputOf(found[0]);
  }

  #addComposition(composition: KubeObject): void {
    if (inputOf(composition) === undefined) return;
    this.#compositions.push(composition);
    this.#composites.add(keyOf(typeOf(composition)));
  }

  #addDefinition(definition: KubeObject): void {
    const { group, names, claimNames } = (definition['spec'] ?? {}) as {
      group?: string;
      names?: { kind?: string };
      claimNames?: { kind?: string };
    };
    if (names?.kind !== undefined && claimNames?.kind !== undefined)
      this.#claims.set(`${group}/${claimNames.kind}`, names.kind);
  }
}

function typeOf(composition: KubeObject): { apiVersion: string; kind: string } {
  const { compositeTypeRef } = composition['spec'] as { compositeTypeRef?: { apiVersion?: string; kind?: string } };
  return { apiVersion: compositeTypeRef?.apiVersion ?? '', kind: compositeTypeRef?.kind ?? '' };
}

/** Of the step that calls our function; a Composition without one is none of ours. */
function inputOf(composition: KubeObject): Fields | undefined {
  const { pipeline } = (composition['spec'] ?? {}) as { pipeline?: { input?: Fields }[] };
  return pipeline?.find(({ input }) => groupOf(String(input?.['apiVersion'])) === INPUT_GROUP)?.input;
}
