/**
 * The servers that resources refer to: finds the configuration, checks that its namespace may use it, records the
 * usage, and keeps one engine open per configuration for as long as neither it nor its Secrets change.
 */
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { parseDuration } from '../../common/duration.ts';
import { ResourceError } from '../../common/errors.ts';
import type { Engine } from '../../engines/engine.ts';
import type { BatchingReader } from '../../engines/reader.ts';
import { ANNOTATION, annotation } from '../../runtime/managed/annotations.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';
import { nameOf, type SecretName, secretsOf } from '../objects/secret-names.ts';
import { connectionSettings } from './connection-settings.ts';
import type { ServerConnection, Servers } from './connection.ts';
import { nextPoll } from './poll.ts';

export interface Configurations {
  get(resource: Managed): ProviderConfig | undefined;
  secret(name: SecretName): Promise<SecretObject | undefined>;
  namespaceLabels(namespace: string): Promise<Record<string, string>>;
  /** Records that the resource uses the configuration, so that it cannot be deleted under it. */
  track(resource: Managed, config: ProviderConfig): Promise<void>;
}

export interface EngineFactory {
  open(settings: ReturnType<typeof connectionSettings>): { engine: Engine; reader: BatchingReader };
}

export interface ServerOptions {
  configurations: Configurations;
  factory: EngineFactory;
  /** How often a resource is looked at when nothing happens, in ms. */
  pollMs: number;
  now: () => Date;
  onCloseError: (error: unknown) => void;
}

interface Open {
  fingerprint: string;
  engine: Engine;
  reader: BatchingReader;
  prepared: Promise<void>;
  endpoint: ServerConnection['endpoint'];
  settings: ServerConnection['settings'];
}

/** How long a replaced engine may finish what runs on it. */
const DRAIN_MS = 30_000;

export class ServerPool implements Servers {
  readonly #options: ServerOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async connect(resource: Managed): Promise<ServerConnection> {
    const config = this.#options.configurations.get(resource);
    const { kind, name } = resource.spec.providerConfigRef;
    if (config === undefined)
      throw new ResourceError(
        'ProviderConfigNotFound',
        `there is no ${kind} ${JSON.stringify(name)}${kind === 'ProviderConfig' ? ` in namespace ${JSON.stringify(resource.metadata.namespace)}` : ''}`,
      );
    await this.#admit(resource, config);
    await this.#options.configurations.track(resource, config);
    return await this.open(config, resource.metadata.deletionTimestamp !== undefined);
  }

  /**
   * The connection of a configuration, whoever asks. For a deletion the connection that is open will do, even when the
   * Secret is gone: in a namespace that is going away, Secrets go first.
   */
  async open(config: ProviderConfig, forDeletion = false): Promise<ServerConnection> {
    const server = await this.#server(config, forDeletion);
    return {
      engine: server.engine,
      endpoint: server.endpoint,
      settings: server.settings,
      reader: async (notBefore) => {
        server.prepared = server.prepared.catch(async () => await server.reader.prepare());
        await server.prepared;
        return server.reader.at(notBefore);
      },
    };
  }

  pollAfter(resource: Managed): number {
    const own = annotation(resource, ANNOTATION.pollInterval);
    const interval = own === undefined ? undefined : safeDuration(own);
    if (interval !== undefined && interval > 0) return Math.max(interval, 1_000);
    const { kind, name } = resource.spec.providerConfigRef;
    return nextPoll(
      `${kind}/${kind === 'ProviderConfig' ? resource.metadata.namespace : ''}/${name}`,
      this.#options.pollMs,
      this.#options.now().getTime(),
    );
  }

  /** Closes what belongs to a configuration that is gone. */
  forget(config: ProviderConfig): void {
    this.#close(keyOf(config));
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(open.map(async ({ engine }) => await engine.close()));
  }

  async #admit(resource: Managed, config: ProviderConfig): Promise<void> {
    if (config.kind !== 'ClusterProviderConfig') return;
    const namespace = resource.metadata.namespace ?? '';
    const allowed = config.spec.allowedNamespaces;
    if (allowed?.names?.some((candidate) => candidate === '*' || candidate === namespace)) return;
    const wanted = Object.entries(allowed?.selector?.matchLabels ?? {});
    if (wanted.length > 0) {
      const labels = await this.#options.configurations.namespaceLabels(namespace);
      if (wanted.every(([label, value]) => labels[label] === value)) return;
    }
    throw new ResourceError(
      'NamespaceNotAllowed',
      `${nameOf(config)} does not allow namespace ${JSON.stringify(namespace)}; its owner can add it to allowedNamespaces`,
    );
  }

  async #server(config: ProviderConfig, forDeletion: boolean): Promise<Open> {
    const secrets = new Map<string, SecretObject | undefined>();
    for (const name of secretsOf(config))
      secrets.set(`${name.namespace}/${name.name}`, await this.#options.configurations.secret(name));
    const versions = [...secrets].map(([name, secret]) => `${name}@${secret?.metadata.resourceVersion ?? 'absent'}`);
    const fingerprint = [config.metadata.uid, config.metadata.generation, ...versions].join(' ');
    const key = keyOf(config);
    const existing = this.#open.get(key);
    if (existing?.fingerprint === fingerprint) return existing;
    if (existing !== undefined && forDeletion && [...secrets.values()].includes(undefined)) return existing;
    const settings = connectionSettings(config, ({ namespace, name }) => secrets.get(`${namespace}/${name}`));
    const { engine, reader } = this.#options.factory.open(settings);
    const opened: Open = {
      fingerprint,
      engine,
      reader,
      prepared: reader.prepare(),
      endpoint: { host: settings.host, port: settings.port, tlsMode: settings.tls.mode },
      settings: { host: settings.host, port: settings.port, tls: settings.tls },
    };
    opened.prepared.catch(() => {});
    this.#close(key);
    this.#open.set(key, opened);
    return opened;
  }

  #close(key: string): void {
    const old = this.#open.get(key);
    if (old === undefined) return;
    this.#open.delete(key);
    setTimeout(() => {
      old.engine.close().catch(this.#options.onCloseError);
    }, DRAIN_MS).unref();
  }
}

const keyOf = (config: ProviderConfig): string =>
  `${config.kind}/${config.metadata.namespace ?? ''}/${config.metadata.name}`;

function safeDuration(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
