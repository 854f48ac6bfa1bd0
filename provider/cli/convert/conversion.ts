/** What a converter gives, and what it needs to know of the files as a whole. */
import { GROUPS, type GroupName, type KubeObject, type ProviderConfigReference, VERSION } from '../../api/kind.ts';

export interface Note {
  /** The object of the files, e.g. "User team-a/app". */
  object: string;
  message: string;
  /** Whether something of it is in none of the new objects. */
  isLost: boolean;
}

export interface ConvertOptions {
  /** What is on the server already is taken over, as it has to be when a running installation moves. */
  adopt: boolean;
  /** Namespace of objects that name none. */
  namespace: string;
}

type Fields = Record<string, unknown>;

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

export const specOf = (object: KubeObject): Fields => fieldsOf(object['spec']);

/** Without the keys whose value is undefined. */
export const given = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

interface Made {
  group: GroupName;
  kind: string;
  name: string;
  namespace: string;
  externalName?: string | undefined;
  forProvider: Fields;
  server: ProviderConfigReference;
  /** Whether deletion of the object leaves what it stands for. */
  isKept?: boolean;
  secretName?: string | undefined;
}

export class Conversion {
  readonly options: ConvertOptions;
  readonly objects: KubeObject[] = [];
  readonly notes: Note[] = [];
  readonly #input: readonly KubeObject[];
  readonly #names = new Set<string>();

  constructor(input: readonly KubeObject[], options: ConvertOptions) {
    this.#input = input;
    this.options = options;
  }

  namespaceOf(object: KubeObject): string {
    return object.metadata.namespace ?? this.options.namespace;
  }

  /** Objects of that kind in the files. */
  all(kind: string, apiVersion: string): KubeObject[] {
    return this.#input.filter((one) => one.kind === kind && one.apiVersion === apiVersion);
  }

  note(object: KubeObject, message: string, isLost = false): void {
    this.notes.push({ object: `${object.kind} ${this.namespaceOf(object)}/${object.metadata.name}`, message, isLost });
  }

  lost(object: KubeObject, message: string): void {
    this.note(object, message, true);
  }

  /** A name that no other new object of that kind has. */
  free(kind: string, namespace: string, wanted: string): string {
    const base = wanted
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 200);
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? base : `${base}-${count}`;
      if (!this.#names.has(`${kind}/${namespace}/${name}`)) return name;
    }
  }

  add({ group, kind, name, namespace, externalName, forProvider, server, isKept, secretName }: Made): void {
    this.#names.add(`${kind}/${namespace}/${name}`);
    this.objects.push({
      apiVersion: `${GROUPS[group]}/${VERSION}`,
      kind,
      metadata: {
        name,
        namespace,
        ...(externalName === undefined ? {} : { annotations: { 'crossplane.io/external-name': externalName } }),
      },
      spec: {
        forProvider: given(forProvider),
        providerConfigRef: server,
        ...(isKept === true ? { managementPolicies: ['Observe', 'Create', 'Update', 'LateInitialize'] } : {}),
        ...(secretName === undefined ? {} : { writeConnectionSecretToRef: { name: secretName } }),
      },
    });
  }

  addConfig(kind: ProviderConfigReference['kind'], name: string, namespace: string, spec: Fields): void {
    this.objects.push({
      apiVersion: `${GROUPS.config}/${VERSION}`,
      kind,
      metadata: { name, ...(kind === 'ProviderConfig' ? { namespace } : {}) },
      spec: given(spec),
    });
  }

  /** Any other object, as it is. What two say of one Secret is said by one. */
  addPlain(object: KubeObject): void {
    const namespace = object.kind === 'Secret' ? this.namespaceOf(object) : object.metadata.namespace;
    const known = this.objects.find(
      ({ apiVersion, kind, metadata }) =>
        apiVersion === object.apiVersion &&
        kind === object.kind &&
        metadata.name === object.metadata.name &&
        (metadata.namespace ?? this.options.namespace) === (namespace ?? this.options.namespace),
    );
    if (known === undefined) this.objects.push(structuredClone(object));
    else if (object.kind === 'Secret' && object['stringData'] !== undefined)
      known['stringData'] = { ...fieldsOf(known['stringData']), ...fieldsOf(object['stringData']) };
  }
}
