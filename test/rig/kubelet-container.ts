/** One container of a pod: its environment, its runs and what its status says of them. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '../../provider/api/kind.ts';
import { type Image, type Mount, type Sandbox, startSandbox } from './kubelet-sandbox.ts';
import { fieldOf, NotYetError, type VolumeContext } from './kubelet-volumes.ts';

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    secretKeyRef?: { name: string; key: string; optional?: boolean };
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
    fieldRef?: { fieldPath: string };
  };
}

interface SecurityContext {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  fsGroup?: number;
  readOnlyRootFilesystem?: boolean;
  allowPrivilegeEscalation?: boolean;
}

export interface ContainerSpec {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  envFrom?: { secretRef?: { name: string } }[];
  workingDir?: string;
  restartPolicy?: string;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  securityContext?: SecurityContext;
  volumeMounts?: { name: string; mountPath: string; subPath?: string; readOnly?: boolean }[];
  ports?: { name?: string; containerPort: number }[];
  readinessProbe?: { httpGet?: { path?: string; port: string | number }; periodSeconds?: number };
}

export interface ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    signal?: number;
    reason: string;
    message?: string;
    startedAt: string;
    finishedAt: string;
  };
}

const MESSAGE_BYTES = 4096;
/** How often a container that is not ready yet is asked. */
const PROBE_MS = 200;
const PROBE_PERIOD_SECONDS = 10;

export class Container {
  readonly spec: ContainerSpec;
  state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  restartCount = 0;
  readonly logFile: string;
  readonly #folder: string;
  #sandbox: Sandbox | undefined;
  #isProbed = false;

  constructor(spec: ContainerSpec, podFolder: string) {
    this.spec = spec;
    this.#folder = join(podFolder, 'containers', spec.name);
    this.logFile = join(this.#folder, 'log');
  }

  /** Runs it once. A failure to start is thrown; everything after that is an exit code. */
  async run(
    image: Image,
    volumes: ReadonlyMap<string, string>,
    context: VolumeContext,
    onChange: () => void,
  ): Promise<number> {
    const root = join(this.#folder, `root-${this.restartCount}`);
    const message = join(this.#folder, `message-${this.restartCount}`);
    await mkdir(root, { recursive: true });
    await writeFile(message, '');
    await chmod(message, 0o666);
    const pod = (context.pod['spec'] as { securityContext?: SecurityContext }).securityContext ?? {};
    const own = { ...pod, ...this.spec.securityContext };
    if (own.runAsNonRoot === true && (own.runAsUser ?? 0) === 0)
      throw new NotYetError('container has runAsNonRoot and image will run as root');
    const mounts: Mount[] = (this.spec.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) => {
      const folder = volumes.get(name);
      if (folder === undefined) throw new NotYetError(`volume "${name}" is not there`);
      return {
        from: subPath === undefined ? folder : join(folder, subPath),
        to: mountPath,
        readOnly: readOnly ?? isSecret(context.pod, name),
      };
    });
    mounts.push({ from: message, to: this.spec.terminationMessagePath ?? '/dev/termination-log', readOnly: false });
    const env = await this.#environment(context);
    const expand = (text: string): string =>
      text.replaceAll(/\$\((\w+)\)/g, (whole, name: string) => env[name] ?? whole);
    const command = [...(this.spec.command ?? image.entrypoint ?? []), ...(this.spec.args ?? [])].map(expand);
    const startedAt = now();
    this.#sandbox = await startSandbox({
      image,
      command,
      env,
      mounts,
      root,
      logFile: this.logFile,
      uid: own.runAsUser ?? 0,
      gid: own.runAsGroup ?? 0,
      groups: own.fsGroup === undefined ? [] : [own.fsGroup],
      readOnlyRoot: own.readOnlyRootFilesystem ?? false,
      noNewPrivileges: own.allowPrivilegeEscalation === false,
      workingDirectory: this.spec.workingDir ?? '/',
    });
    this.state = { running: { startedAt } };
    onChange();
    const end = new AbortController();
    const probing = this.#probe(onChange, end.signal);
    const { exitCode, signal } = await this.#sandbox.ended;
    end.abort();
    await probing;
    this.#sandbox = undefined;
    const said = await this.#message(message, exitCode);
    this.state = {
      terminated: {
        exitCode,
        ...(signal === undefined ? {} : { signal }),
        reason: exitCode === 0 ? 'Completed' : 'Error',
        ...(said === '' ? {} : { message: said }),
        startedAt,
        finishedAt: now(),
      },
    };
    return exitCode;
  }

  get isReady(): boolean {
    return this.state.running !== undefined && (this.spec.readinessProbe?.httpGet === undefined || this.#isProbed);
  }

  /** Asks, until the end, whether the container is ready. */
  async #probe(onChange: () => void, end: AbortSignal): Promise<void> {
    const { httpGet, periodSeconds } = this.spec.readinessProbe ?? {};
    if (httpGet === undefined) return;
    const named = this.spec.ports?.find(({ name }) => name === httpGet.port)?.containerPort;
    const url = `http://127.0.0.1:${named ?? httpGet.port}${httpGet.path ?? '/'}`;
    while (!end.aborted) {
      const before = this.#isProbed;
      this.#isProbed = await answers(url);
      if (this.#isProbed !== before) onChange();
      const pause = this.#isProbed ? (periodSeconds ?? PROBE_PERIOD_SECONDS) * 1000 : PROBE_MS;
      await delay(pause, undefined, { signal: end, ref: false }).catch(() => undefined);
    }
    this.#isProbed = false;
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#sandbox?.signal(signal);
  }

  status(isInit: boolean): Record<string, unknown> {
    const ended = this.state.terminated;
    return {
      name: this.spec.name,
      image: this.spec.image,
      imageID: this.spec.image,
      ready: this.isReady || (isInit && ended?.exitCode === 0),
      started: this.state.running !== undefined,
      restartCount: this.restartCount,
      state: this.state,
    };
  }

  async #message(file: string, exitCode: number): Promise<string> {
    const said = await readFile(file, 'utf8');
    if (said !== '' || exitCode === 0 || this.spec.terminationMessagePolicy !== 'FallbackToLogsOnError')
      return said.slice(0, MESSAGE_BYTES);
    return (await readFile(this.logFile, 'utf8')).slice(-2048);
  }

  async #environment(context: VolumeContext): Promise<Record<string, string>> {
    const env: Record<string, string> = { ...context.environment };
    for (const { secretRef } of this.spec.envFrom ?? []) {
      const secret = secretRef === undefined ? undefined : await context.get('Secret', secretRef.name);
      for (const [key, value] of Object.entries((secret?.['data'] ?? {}) as Record<string, string>))
        env[key] = Buffer.from(value, 'base64').toString();
    }
    for (const item of this.spec.env ?? []) {
      const value = await valueOf(item, context);
      if (value !== undefined)
        env[item.name] = value.replaceAll(/\$\((\w+)\)/g, (whole, name: string) => env[name] ?? whole);
    }
    return env;
  }
}

async function valueOf({ name, value, valueFrom }: EnvVar, context: VolumeContext): Promise<string | undefined> {
  if (valueFrom === undefined) return value ?? '';
  if (valueFrom.fieldRef !== undefined) return fieldOf(context.pod, valueFrom.fieldRef.fieldPath);
  const [kind, ref, encoding] =
    valueFrom.secretKeyRef === undefined
      ? (['ConfigMap', valueFrom.configMapKeyRef, 'utf8'] as const)
      : (['Secret', valueFrom.secretKeyRef, 'base64'] as const);
  if (ref === undefined) return undefined;
  const object = await context.get(kind, ref.name);
  const text = ((object?.['data'] ?? {}) as Record<string, string>)[ref.key];
  if (text !== undefined) return Buffer.from(text, encoding).toString();
  if (ref.optional === true) return undefined;
  throw new NotYetError(`${name}: couldn't find key ${ref.key} in ${kind} ${context.namespace}/${ref.name}`);
}

const answers = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get(url, { timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 400);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });

function isSecret(pod: KubeObject, name: string): boolean {
  const volumes = (
    pod['spec'] as { volumes?: { name: string; secret?: object; configMap?: object; projected?: object }[] }
  ).volumes;
  const volume = volumes?.find((candidate) => candidate.name === name);
  return volume?.secret !== undefined || volume?.configMap !== undefined || volume?.projected !== undefined;
}

const now = (): string => new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
