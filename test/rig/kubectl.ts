/** kubectl, for what a test prepares and looks at; the product itself never uses it. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubeObject } from '../../provider/api/kind.ts';
import { Api } from './api.ts';

export interface KubectlOptions {
  /** Given to standard input, e.g. manifests for `apply -f -`. */
  input?: string;
}

export class Kubectl {
  /** Path of a kubeconfig file; it holds a token. */
  readonly kubeconfig: string;
  readonly command: string;
  #opened: Promise<Api> | undefined;

  constructor(command: string, path: string) {
    this.command = command;
    this.kubeconfig = path;
  }

  /**
   * Runs kubectl and gives what it printed.
   *
   * @throws Error whose message is what kubectl said, when it ends with another status than 0.
   */
  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = execFile(
        this.command,
        [...args],
        {
          env: {
            ...process.env,
            KUBECONFIG: this.kubeconfig,
            KUBECACHEDIR: join(dirname(this.kubeconfig), 'kubectl-cache'),
          },
          maxBuffer: 256 * 1024 * 1024,
        },
        (error, stdout, stderr) => {
          if (error) {
            reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`));
          } else {
            resolve(stdout);
          }
        },
      );
      // It may end before it has read everything; its own message says why.
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input ?? '');
    });
  }

  async #api(): Promise<Api> {
    this.#opened ??= Api.open(this.kubeconfig);
    return await this.#opened;
  }

  /** `get … -o json`, parsed; without a process of its own. */
  async get<T = unknown>(...args: string[]): Promise<T> {
    const api = await this.#api();
    return (await api.get(args)) as T;
  }

  /**
   * Server-side apply of objects, without a process of its own; or of a file, or of all manifests below a folder. Waits until
   * CRDs among them are served.
   */
  async apply(what: string | KubeObject | readonly KubeObject[]): Promise<void> {
    const crds: string[] = [];
    if (typeof what === 'string') {
      const args = ['apply', '--server-side', '--force-conflicts', '-o', 'name', '--recursive', '-f', what];
      const names = (await this.kubectl(args)).split('\n');
      crds.push(...names.filter((name) => name.startsWith('customresourcedefinition.')));
    } else {
      const objects = Array.isArray(what) ? (what as readonly KubeObject[]) : [what as KubeObject];
      const api = await this.#api();
      await api.apply(objects);
      const made = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
      crds.push(...made.map(({ metadata }) => `crd/${metadata.name}`));
    }
    if (crds.length > 0) await this.kubectl(['wait', '--for=condition=Established', '--timeout=60s', ...crds]);
  }

  /** Waits with `kubectl wait`, e.g. `wait('condition=Ready', 'databases.sql.m.xdatabase.dev/app', '-n', 'team')`. */
  async wait(condition: string, ...args: string[]): Promise<void> {
    await this.kubectl(['wait', `--for=${condition}`, '--timeout=60s', ...args]);
  }

  /** A kubeconfig file for a service account, to try what its roles allow. */
  async serviceAccountKubeconfig(namespace: string, name: string): Promise<string> {
    const token = (await this.kubectl(['create', 'token', name, '-n', namespace, '--duration=24h'])).trim();
    const view = JSON.parse(await this.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'])) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    };
    const [entry] = view.clusters;
    if (entry === undefined) {
      throw new Error(`${this.kubeconfig} names no cluster`);
    }
    const authority = Buffer.from(entry.cluster['certificate-authority-data'], 'base64').toString('utf8');
    const file = join(dirname(this.kubeconfig), `kubeconfig-${namespace}-${name}`);
    await writeFile(file, kubeconfig(entry.cluster.server, authority, token), { mode: 0o600 });
    return file;
  }
}

/** The content of a kubeconfig file. JSON is YAML. */
export function kubeconfig(server: string, authority: string, token: string): string {
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'rig',
        cluster: { server, 'certificate-authority-data': Buffer.from(authority).toString('base64') },
      },
    ],
    users: [{ name: 'rig', user: { token } }],
    contexts: [{ name: 'rig', context: { cluster: 'rig', user: 'rig' } }],
    'current-context': 'rig',
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
