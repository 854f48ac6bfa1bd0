/**
 * Where the API server is and how to log in, with the connections to it.
 *
 * client-node makes a new Agent, and so a new TLS connection, for each request. Here calls share one Agent of at most 16
 * connections. Watches have another one without a limit: each holds its connection for minutes, and over HTTP/1.1
 * sixteen of them in the first Agent would leave none for calls.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { HttpMethod, KubeConfig, RequestContext } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';

type DispatcherOptions = ReturnType<KubeConfig['createDispatcherOptions']>;

/** What the connection is for. */
export type Use = 'call' | 'watch';

const CALL_CONNECTIONS = 16;
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

interface Pools {
  options: DispatcherOptions;
  call: Dispatcher;
  watch: Dispatcher;
}

export interface Access {
  /** Base URL of the API server, without a slash at its end. */
  server: string;
  headers: Record<string, string>;
  dispatcher: Dispatcher;
}

export interface LoadOptions {
  /** `--kubeconfig`: a path. */
  kubeconfig?: string | undefined;
  env?: NodeJS.ProcessEnv;
}

export class PooledKubeConfig extends KubeConfig {
  #pools: Pools | undefined;
  #wanted: DispatcherOptions | undefined;

  /**
   * `--kubeconfig`, else $KUBECONFIG, else the pod's service account, else ~/.kube/config.
   * @throws Error when none of them names a cluster.
   */
  static load({ kubeconfig, env = process.env }: LoadOptions = {}): PooledKubeConfig {
    const config = new PooledKubeConfig();
    const home = join(env['HOME'] || homedir(), '.kube', 'config');
    const [first, ...others] = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
    if (kubeconfig) config.loadFromFile(kubeconfig);
    else if (first !== undefined) {
      config.loadFromFile(first);
      for (const path of others) {
        const other = new KubeConfig();
        other.loadFromFile(path);
        config.mergeConfig(other);
      }
    } else if (env['KUBERNETES_SERVICE_HOST'] && existsSync(`${SERVICE_ACCOUNT}/token`)) config.loadFromCluster();
    else if (existsSync(home)) config.loadFromFile(home);
    if (!config.getCurrentCluster())
      throw new Error('no cluster is configured: give --kubeconfig, set KUBECONFIG, or run in a pod');
    return config;
  }

  /** Fresh headers (tokens are re-read as they rotate) and the shared connections for one request. */
  async access(use: Use): Promise<Access> {
    const server = this.getCurrentCluster()?.server.replace(/\/+$/, '');
    if (server === undefined) throw new Error('the kubeconfig names no current cluster');
    const context = new RequestContext(server, HttpMethod.GET);
    await super.applySecurityAuthentication(context);
    return { server, headers: context.getHeaders(), dispatcher: this.#current()[use] };
  }

  /** For client-node's own API classes: they share the connections for calls. */
  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    context.setDispatcher(this.#current().call);
  }

  /** Called by client-node for each request, with the bytes of CA and certificate as they are now. */
  override createDispatcherOptions(...args: Parameters<KubeConfig['createDispatcherOptions']>): DispatcherOptions {
    this.#wanted = super.createDispatcherOptions(...args);
    return { type: 'none' };
  }

  /** Closes the connections; open requests end first. */
  async close(): Promise<void> {
    const pools = this.#pools;
    this.#pools = undefined;
    if (pools !== undefined) await closePools(pools);
  }

  #current(): Pools {
    const options = this.#wanted ?? { type: 'none' };
    if (this.#pools !== undefined && isDeepStrictEqual(this.#pools.options, options)) return this.#pools;
    const outdated = this.#pools;
    this.#pools = {
      options,
      call: dispatcherFor(options, CALL_CONNECTIONS),
      watch: dispatcherFor(options, undefined),
    };
    // Requests that are under way keep the old connections until they end.
    if (outdated !== undefined) closePools(outdated).catch(() => undefined);
    return this.#pools;
  }
}

async function closePools(pools: Pools): Promise<void> {
  await Promise.all([pools.call.close(), pools.watch.destroy()]);
}

function dispatcherFor(options: DispatcherOptions, connections: number | undefined): Dispatcher {
  const common = {
    ...(connections === undefined ? {} : { connections }),
    // One request at a time per connection: a slow list must not hold up a status write behind it.
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  // client-node's and undici's types of the same TLS options differ in how they say "optional".
  const connect = (tls: object): buildConnector.BuildOptions => ({
    ...tls,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    timeout: 10_000,
  });
  if (options.type === 'socks') throw new Error('SOCKS proxies to the API server are not supported: use an HTTP proxy');
  if (options.type === 'proxy')
    return new ProxyAgent({ ...common, uri: options.uri, requestTls: connect(options.requestTls) });
  return new Agent({ ...common, connect: connect(options.type === 'agent' ? options.connect : {}) });
}

/** The namespace this process runs in: $POD_NAMESPACE, or the service account's; `fallback` outside a pod. */
export function podNamespace(fallback = 'default', env: NodeJS.ProcessEnv = process.env): string {
  if (env['POD_NAMESPACE']) return env['POD_NAMESPACE'];
  const file = `${SERVICE_ACCOUNT}/namespace`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : fallback;
}
