/** xdb status: what became of claims in a cluster, as a table or, of one claim, as a tree. */
import type { Condition, KubeObject } from '../api/kind.ts';
import { kindByName } from '../api/registry.ts';
import { KubeClient } from '../runtime/kube/client.ts';
import { PooledKubeConfig, podNamespace } from '../runtime/kube/config.ts';
import { isNotFound } from '../runtime/kube/errors.ts';
import { type Resource, SECRETS } from '../runtime/kube/resource.ts';
import { EXIT } from './commands.ts';
import { type Output, table } from './output.ts';

export interface StatusOptions {
  namespace?: string;
  allNamespaces?: boolean;
  /** Kinds of a platform's own, as plural.version.group. */
  resource?: string[];
  kubeconfig?: string;
  json?: boolean;
}

const ours = (group: string): Resource => ({
  group,
  version: 'v1alpha1',
  kind: 'XDatabase',
  plural: 'xdatabases',
  namespaced: true,
});
const USUAL: readonly Resource[] = [ours('claim.xdatabase.dev'), ours('xdatabase.dev')];

/** @throws TypeError unless it is like teamdatabases.v1.platform.example.org. */
export function parseResource(text: string): Resource {
  const [, plural, version, group] = /^([a-z0-9-]+)\.(v\d[a-z0-9]*)\.([a-z0-9.-]+)$/.exec(text) ?? [];
  if (plural === undefined || version === undefined || group === undefined)
    throw new TypeError(
      `--resource ${JSON.stringify(text)}: write plural.version.group, e.g. teamdatabases.v1.platform.example.org`,
    );
  return { group, version, plural, kind: plural, namespaced: true };
}

export interface Node {
  kind: string;
  name: string;
  namespace?: string;
  ready: string;
  synced: string;
  /** Why it is not ready or not synced; empty when it is. */
  message: string;
  children: Node[];
}

export interface ClaimView extends Node {
  phase: string;
  engine: string;
  database: string;
  endpoint: string;
  lastBackup: string;
  expiresAt: string;
  waitingFor: string[];
  conditions: { type: string; status: string; reason: string; message: string }[];
}

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const conditionsOf = (object: KubeObject): Condition[] => {
  const { conditions } = fields(object['status']);
  return Array.isArray(conditions) ? (conditions as Condition[]) : [];
};

export function nodeOf(object: KubeObject): Node {
  const of = (type: string): Condition | undefined => conditionsOf(object).find((one) => one.type === type);
  const [ready, synced] = [of('Ready'), of('Synced')];
  const bad = [synced, ready].find((one) => one !== undefined && one.status !== 'True');
  // A Secret has no conditions: that it is there is all there is to say.
  const isPlain = object.kind === 'Secret';
  return {
    kind: object.kind,
    name: object.metadata.name,
    ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
    ready: ready?.status ?? (isPlain ? 'True' : 'Unknown'),
    synced: synced?.status ?? (isPlain ? 'True' : 'Unknown'),
    message: bad === undefined ? '' : (bad.message ?? bad.reason),
    children: [],
  };
}

/** A composite may keep what the function says below a field of its status. */
function statusOf(object: KubeObject): Fields {
  const status = fields(object['status']);
  if ('phase' in status) return status;
  return (
    Object.values(status)
      .map(fields)
      .find((inner) => 'phase' in inner && 'databaseName' in inner) ?? status
  );
}

function viewOf(object: KubeObject): ClaimView {
  const status = statusOf(object);
  const waiting = status['waitingFor'];
  return {
    ...nodeOf(object),
    phase: text(status['phase']),
    engine: text(status['engine']),
    database: text(status['databaseName']),
    endpoint: text(status['endpoint']),
    lastBackup: text(fields(status['backup'])['lastTime']),
    expiresAt: text(status['expiresAt']),
    waitingFor: Array.isArray(waiting) ? waiting.map(String) : [],
    conditions: conditionsOf(object).map(({ type, status: is, reason, message }) => ({
      type,
      status: is,
      reason,
      message: message ?? '',
    })),
  };
}

interface Reference {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
}

function resourceOf({ apiVersion, kind }: Reference): Resource {
  if (apiVersion === 'v1' && kind === 'Secret') return SECRETS;
  const known = kindByName(apiVersion, kind);
  if (known !== undefined) return known;
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced: true,
  };
}

class Reader {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async claims(resources: readonly Resource[], namespace: string | undefined): Promise<[Resource, KubeObject][]> {
    const lists = await Promise.all(
      resources.map(async (resource) => {
        try {
          const { items } = await this.#client.list(resource, { namespace });
          return items.map((item): [Resource, KubeObject] => [resource, item]);
        } catch (error) {
          // Of the two kinds that we bring, a cluster may have one.
          if (isNotFound(error) && USUAL.includes(resource)) return [];
          throw error;
        }
      }),
    );
    return lists.flat();
  }

  /** What a claim stands for, as a tree; what cannot be read says so in its place. */
  async children(object: KubeObject): Promise<Node[]> {
    const spec = fields(object['spec']);
    const composite = fields(spec['resourceRef']);
    if (text(composite['name']) !== '') {
      const reference = composite as unknown as Reference;
      const resource = { ...resourceOf(reference), namespaced: false };
      return [await this.#node(reference, resource, undefined)];
    }
    const references = spec['resourceRefs'] ?? fields(spec['crossplane'])['resourceRefs'];
    if (!Array.isArray(references)) return [];
    return await Promise.all(
      (references as Reference[]).map(
        async (reference) =>
          await this.#node(reference, resourceOf(reference), reference.namespace ?? object.metadata.namespace),
      ),
    );
  }

  async #node(reference: Reference, resource: Resource, namespace: string | undefined): Promise<Node> {
    try {
      const found = await this.#client.get(resource, { name: reference.name, namespace });
      const object = { ...found, kind: found.kind ?? reference.kind };
      return { ...nodeOf(object), children: await this.children(object) };
    } catch (error) {
      const message = isNotFound(error) ? 'is not there' : error instanceof Error ? error.message : String(error);
      return { kind: reference.kind, name: reference.name, ready: 'Unknown', synced: 'Unknown', message, children: [] };
    }
  }
}

const isWell = ({ ready, synced }: Node): boolean => ready === 'True' && synced !== 'False';

const sign = (node: Node): string => (isWell(node) ? '✓' : node.synced === 'False' ? '✗' : '…');

export function treeLines(node: Node): string[] {
  const lines = [`${sign(node)} ${node.kind} ${node.name}${node.message === '' ? '' : `: ${node.message}`}`];
  for (const [index, child] of node.children.entries()) {
    const isLast = index === node.children.length - 1;
    const [first, ...rest] = treeLines(child);
    lines.push(`${isLast ? '└─' : '├─'} ${first}`, ...rest.map((line) => `${isLast ? '  ' : '│ '} ${line}`));
  }
  return lines;
}

const ROWS: readonly [string, (view: ClaimView) => string][] = [
  ['NAMESPACE', ({ namespace }) => namespace ?? ''],
  ['NAME', ({ name }) => name],
  ['READY', ({ ready }) => ready],
  ['PHASE', ({ phase }) => phase],
  ['ENGINE', ({ engine }) => engine],
  ['DATABASE', ({ database }) => database],
  ['LAST-BACKUP', ({ lastBackup }) => lastBackup],
  ['EXPIRES', ({ expiresAt }) => expiresAt],
  ['MESSAGE', ({ message }) => message],
];

function print(views: readonly ClaimView[], isTree: boolean, output: Output): void {
  if (!isTree) {
    for (const line of table([
      ROWS.map(([title]) => title),
      ...views.map((view) => ROWS.map(([, cell]) => cell(view))),
    ]))
      output.line(line);
    return;
  }
  for (const view of views) {
    output.line(`${view.namespace}/${view.name}: ${view.phase || 'no status yet'}`);
    const facts: [string, string][] = [
      ['database', view.database],
      ['engine', view.engine],
      ['endpoint', view.endpoint],
      ['last backup', view.lastBackup],
      ['ends', view.expiresAt],
    ];
    for (const [name, value] of facts) if (value !== '') output.line(`  ${name}: ${value}`);
    for (const { type, status, reason, message } of view.conditions)
      output.line(`  ${type}: ${status} (${reason})${message === '' ? '' : ` ${message}`}`);
    for (const waiting of view.waitingFor) output.line(`  waiting for ${waiting}`);
    for (const line of treeLines(view)) output.line(line);
  }
}

/** @returns 0 when everything is ready, 2 when something is not, 1 when a claim that was named is not there. */
export async function status(names: readonly string[], options: StatusOptions, output: Output): Promise<number> {
  const config = PooledKubeConfig.load({ kubeconfig: options.kubeconfig });
  try {
    const reader = new Reader(new KubeClient(config, { userAgent: 'xdb' }));
    const namespace =
      options.allNamespaces === true
        ? undefined
        : (options.namespace ??
          config.getContextObject(config.getCurrentContext())?.namespace ??
          podNamespace('default'));
    const all = await reader.claims([...USUAL, ...(options.resource ?? []).map(parseResource)], namespace);
    const chosen = names.length === 0 ? all : all.filter(([, { metadata }]) => names.includes(metadata.name));
    const missing = names.filter((name) => !all.some(([, { metadata }]) => metadata.name === name));
    const views = await Promise.all(
      chosen.map(async ([resource, object]) => ({
        ...viewOf({ ...object, kind: object.kind ?? resource.kind }),
        children: names.length === 0 ? [] : await reader.children(object),
      })),
    );
    if (options.json === true) output.json({ claims: views, missing });
    else {
      print(views, names.length > 0, output);
      for (const name of missing) output.line(`${name}: there is no such claim in ${namespace ?? 'any namespace'}`);
    }
    if (missing.length > 0) return EXIT.failed;
    return views.every(isWell) ? EXIT.done : EXIT.wouldChange;
  } finally {
    await config.close();
  }
}
