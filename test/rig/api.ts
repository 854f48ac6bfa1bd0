/**
 * The API server's objects as `kubectl get -o json` and `kubectl apply --server-side` have them, without a process for each
 * call: a test that waits looks many times, and kubectl takes a tenth of a second of a core to start. It shares no code with
 * the client of the product, which is what is looked at.
 */
import { once } from 'node:events';
import { Agent, request, type RequestOptions } from 'node:https';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import type { KubeObject } from '../../provider/api/kind.ts';

interface Resource {
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  base: string;
  apiVersion: string;
  kind: string;
  plural: string;
  isNamespaced: boolean;
  /** All that it may be called, with and without its group. */
  names: readonly string[];
}

/** Aggregated discovery, apidiscovery.k8s.io/v2. */
interface Discovery {
  items: {
    metadata: { name?: string };
    versions: {
      version: string;
      resources: {
        resource: string;
        responseKind: { kind: string };
        scope: 'Namespaced' | 'Cluster';
        singularResource: string;
        shortNames?: string[];
      }[];
    }[];
  }[];
}

interface Query {
  types: string[];
  name: string | undefined;
  /** undefined: all of them. */
  namespace: string | undefined;
  selector: string | undefined;
}

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

function parse(args: readonly string[]): Query {
  const query: Query = { types: [], name: undefined, namespace: 'default', selector: undefined };
  const words: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '-A') query.namespace = undefined;
    else if (word === '-n') query.namespace = args[++at];
    else if (word === '-l') query.selector = args[++at];
    else if (word.startsWith('-')) throw new Error(`${word} is not understood here: use kubectl()`);
    else words.push(word);
  }
  const [types = '', name, ...others] = words;
  if (others.length > 0) throw new Error(`one object or many of a kind: not ${words.join(' ')}`);
  return { ...query, types: types.split(','), name };
}

export class Api {
  readonly #server: string;
  readonly #options: RequestOptions;
  #resources: Resource[] | undefined;

  private constructor(server: string, options: RequestOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** With the login of the kubeconfig's current context. */
  static async open(kubeconfig: string): Promise<Api> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    // It comes with a connection for each call.
    return new Api(config.getCurrentCluster()?.server ?? '', { ...options, agent: new Agent({ keepAlive: true }) });
  }

  /**
   * @param args A kind or several with commas between them, perhaps a name, `-n`, `-A`, `-l`.
   * @throws Error with the server's reason and message.
   */
  async get(args: readonly string[]): Promise<unknown> {
    const { types, name, namespace, selector } = parse(args);
    const answers: KubeObject[][] = [];
    for (const type of types) {
      const resource = await this.#find(({ names }) => names.includes(type), type);
      const path = pathOf(resource, namespace);
      if (name !== undefined) return shown(await this.#call<KubeObject>('GET', `${path}/${name}`));
      const query = selector === undefined ? '' : `?labelSelector=${encodeURIComponent(selector)}`;
      const { items } = await this.#call<{ items: KubeObject[] }>('GET', `${path}${query}`);
      answers.push(items.map((item) => shown({ ...item, apiVersion: resource.apiVersion, kind: resource.kind })));
    }
    return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: answers.flat() };
  }

  /**
   * All of them, also after one that is refused. Takes fields from other managers, and refuses fields that are not known.
   * @throws Error with each refusal.
   */
  async apply(objects: readonly KubeObject[]): Promise<void> {
    const refusals: string[] = [];
    for (const object of objects) {
      const { apiVersion, kind, metadata } = object;
      const resource = await this.#find((one) => one.apiVersion === apiVersion && one.kind === kind, kind);
      const path = `${pathOf(resource, metadata.namespace ?? 'default')}/${metadata.name}`;
      const query = 'fieldManager=kubectl&force=true&fieldValidation=Strict';
      await this.#call('PATCH', `${path}?${query}`, object).catch((error: unknown) => {
        refusals.push((error as Error).message);
      });
    }
    if (refusals.length > 0) throw new Error(refusals.join('\n'));
  }

  /** Kinds come and go in a test: one that is not known is looked for again. */
  async #find(is: (resource: Resource) => boolean, what: string): Promise<Resource> {
    const known = this.#resources?.find(is);
    if (known !== undefined) return known;
    this.#resources = (await Promise.all(['/api', '/apis'].map(async (path) => await this.#discover(path)))).flat();
    const found = this.#resources.find(is);
    if (found === undefined) throw new Error(`the server doesn't have a resource type "${what}"`);
    return found;
  }

  async #discover(path: string): Promise<Resource[]> {
    const { items } = await this.#call<Discovery>('GET', path, undefined, DISCOVERY);
    return items.flatMap(({ metadata: { name: group = '' }, versions }) =>
      versions.flatMap(({ version, resources }) =>
        resources.map(({ resource: plural, responseKind, scope, singularResource, shortNames = [] }) => {
          const short = [plural, singularResource, ...shortNames];
          return {
            base: group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
            apiVersion: group === '' ? version : `${group}/${version}`,
            kind: responseKind.kind,
            plural,
            isNamespaced: scope === 'Namespaced',
            names: [...short, ...short.map((one) => `${one}.${group}`)],
          };
        }),
      ),
    );
  }

  async #call<T>(method: 'GET' | 'PATCH', path: string, body?: object, accept = 'application/json'): Promise<T> {
    const type = body === undefined ? {} : { 'content-type': 'application/apply-patch+yaml' };
    const headers = { ...(this.#options.headers as Record<string, string>), accept, ...type };
    const outgoing = request(`${this.#server}${path}`, { ...this.#options, method, headers });
    outgoing.setTimeout(60_000, () => outgoing.destroy(new Error(`no answer within 60 s to ${method} ${path}`)));
    // The answer, or what is awaited of it, tells of every failure.
    outgoing.on('error', () => {});
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(outgoing, 'response')) as [Parameters<typeof text>[0] & { statusCode: number }];
    const answer = JSON.parse(await text(response)) as T & { reason?: string; message?: string };
    if (response.statusCode < 300) return answer;
    throw new Error(`Error from server (${answer.reason ?? response.statusCode}): ${answer.message}`);
  }
}

const pathOf = ({ base, plural, isNamespaced }: Resource, namespace: string | undefined): string =>
  namespace === undefined || !isNamespaced ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`;

/** Who set which field is long, and of no interest to a person or a test. */
function shown(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
