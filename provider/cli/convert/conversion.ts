/** What a converter gives, and what it needs to know of the files as a whole. */
import { GROUPS, type GroupName, type KubeObject, type ProviderConfigReference, VERSION } from '../../api/kind.ts';
import { kindByName } from '../../api/registry.ts';
import { parse } from '../../api/validate.ts';
import { plainMetadata, userMetadata } from './metadata.ts';
import { isRead, tracked, unread } from './reading.ts';

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

/** A copy without anything that tracks what is read of it. */
const plain = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

interface Made {
  /** What it was made of: its labels and annotations are kept. */
  from: KubeObject;
  group: GroupName;
  kind: string;
  name: string;
  namespace: string;
  externalName?: string | undefined;
  forProvider: Fields;
  server: ProviderConfigReference;
  /** All when not given. */
  policies?: readonly string[] | undefined;
  secretName?: string | undefined;
}

/** Everything but Delete: deletion of the object leaves what it stands for. */
export const KEPT = ['Observe', 'Create', 'Update', 'LateInitialize'];

/** Fields of every object. */
const USUAL: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status']);

export class Conversion {
  readonly options: ConvertOptions;
  readonly objects: KubeObject[] = [];
  readonly notes: Note[] = [];
  readonly input: readonly KubeObject[];
  readonly #names = new Set<string>();

  constructor(input: readonly KubeObject[], options: ConvertOptions) {
    this.input = input.map((object) => tracked(object));
    this.options = options;
  }

  namespaceOf(object: KubeObject): string {
    return object.metadata.namespace ?? this.options.namespace;
  }

  /** Objects of that kind in the files. */
  all(kind: string, apiVersion: string): KubeObject[] {
    return this.input.filter((one) => one.kind === kind && one.apiVersion === apiVersion);
  }

  note(object: KubeObject, message: string, isLost = false): void {
    this.notes.push({ object: this.#nameOf(object), message, isLost });
  }

  lost(object: KubeObject, message: string): void {
    this.note(object, message, true);
  }

  /** Says what of an old object is in none of the new ones, unless it was said that all of it is not. */
  noteUnread(object: KubeObject, isPart: boolean): void {
    const name = this.#nameOf(object);
    if (this.notes.some((one) => one.isLost && one.object === name)) return;
    if (isPart && !isRead(specOf(object))) {
      this.lost(object, 'nothing in the files uses it: it becomes a field of what does, so give them together');
      return;
    }
    const others = Object.keys(object).filter((key) => !USUAL.has(key));
    const paths = [...unread(specOf(object), 'spec'), ...others];
    for (const path of paths) this.lost(object, `${path} is not a field that is known here`);
  }

  /** What meant nothing, or means nothing here: it is not missed. */
  ignore(object: KubeObject, ...fields: string[]): void {
    const spec = specOf(object);
    JSON.stringify(fields.map((field) => spec[field]));
  }

  #nameOf(object: KubeObject): string {
    return `${object.kind} ${this.namespaceOf(object)}/${object.metadata.name}`;
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

  add({ from, group, kind, name, namespace, externalName, forProvider, server, policies, secretName }: Made): void {
    const id = `${kind}/${namespace}/${name}`;
    if (this.#names.has(id)) {
      this.lost(from, `there is a ${kind} ${namespace}/${name} in the files already`);
      return;
    }
    this.#names.add(id);
    const { labels, annotations } = userMetadata(from);
    const all = {
      ...annotations,
      ...(externalName === undefined ? {} : { 'crossplane.io/external-name': externalName }),
    };
    const made: KubeObject = {
      apiVersion: `${GROUPS[group]}/${VERSION}`,
      kind,
      metadata: {
        name,
        namespace,
        ...(Object.keys(labels).length === 0 ? {} : { labels }),
        ...(Object.keys(all).length === 0 ? {} : { annotations: all }),
      },
      spec: {
        forProvider: plain(given(forProvider)),
        providerConfigRef: server,
        ...(policies === undefined ? {} : { managementPolicies: plain(policies) }),
        ...(secretName === undefined ? {} : { writeConnectionSecretToRef: { name: secretName } }),
      },
    };
    this.objects.push(made);
    this.#check(from, made);
  }

  /** What the old kind took, or nobody looked at, the new one may refuse. */
  #check(from: KubeObject, made: KubeObject): void {
    const definition = kindByName(made.apiVersion, made.kind);
    if (definition === undefined) return;
    try {
      parse(definition, made);
    } catch (error) {
      const { reason, message } = error as { reason?: unknown; message: string };
      if (reason !== 'InvalidSpec') throw error;
      this.lost(from, `what comes of it would be refused: ${message}`);
    }
  }

  addConfig(kind: ProviderConfigReference['kind'], name: string, namespace: string, spec: Fields): void {
    this.objects.push({
      apiVersion: `${GROUPS.config}/${VERSION}`,
      kind,
      metadata: { name, ...(kind === 'ProviderConfig' ? { namespace } : {}) },
      spec: plain(given(spec)),
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
    if (known === undefined) this.objects.push(plainMetadata(plain(object)));
    else if (object.kind === 'Secret' && object['stringData'] !== undefined)
      known['stringData'] = { ...fieldsOf(known['stringData']), ...plain(fieldsOf(object['stringData'])) };
  }
}
