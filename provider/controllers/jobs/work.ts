/** What a kind of run needs of the world, and what it does before, after and besides its pods. */
import type { EngineName } from '../../api/engines.ts';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { BACKUP_ENGINES, type BackupEngine, type RunRequestInput } from '../../backup/contract.ts';
import { FOLDERS, type PodPlan, REQUEST_FILE, workFolder } from '../../backup/job-spec.ts';
import type { LoadOptions, ToolContainer, ToolServer } from '../../backup/tools/tool.ts';
import { tools } from '../../backup/tools/tools.ts';
import { ResourceError } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';
import type { JobOperations, RunLogin } from '../../engines/jobs.ts';
import type { ServerConnection } from '../servers/connection.ts';
import { generatePassword } from '../sql/credentials.ts';
import type { Guard } from '../tenancy/guard.ts';
import type { ReadSecret, ResolvedPlace } from './places.ts';
import type { Job } from './store.ts';

export interface WorkServices {
  config(resource: Managed): ProviderConfig | undefined;
  connect(resource: Managed, signal: AbortSignal): Promise<ServerConnection>;
  get(kind: string, namespace: string, name: string): Managed | undefined;
  list(kind: string, namespace: string): Managed[];
  readSecret: ReadSecret;
  guard: Guard;
  runnerImage: string;
  /** Where the Jobs of a ClusterProviderConfig run: beside the credentials, out of the reach of tenants. */
  providerNamespace: string;
  now(): Date;
  /** A database has been replaced: whatever manages something in it looks again. */
  onReplaced(resource: Managed): void;
}

/** What the pods are made of, apart from what the configuration says of all of them. */
export interface Layout {
  tools: PodPlan['tools'];
  volume?: NonNullable<PodPlan['volume']>;
}

/** Files of the Secret of each container. */
export type Files = Record<string, Record<string, string>>;

export type Conclusion = { state: 'done' } | { state: 'waiting'; message: string };

export interface Work {
  /** Names of the containers beside the runner. */
  readonly containers: readonly string[];
  /** Everything that decides where it runs, the configuration of the resource first. */
  configs(): ProviderConfig[];
  /** Namespace of its Jobs: beside the credentials, out of the reach of tenants where these are not their own. */
  readonly jobNamespace: string;
  layout(signal: AbortSignal): Promise<Layout>;
  /** Makes logins and databases for one run; may be repeated. */
  prepare(job: Job, signal: AbortSignal): Promise<Files>;
  /** After the pods succeeded; may be repeated. A ResourceError that is not retryable means that the run has failed. */
  conclude?(signal: AbortSignal): Promise<Conclusion>;
  /** Takes everything off the server that a run had there; may be repeated. */
  cleanUp(signal: AbortSignal): Promise<void>;
}

export const configOf = (resource: Managed, services: WorkServices): ProviderConfig => {
  const config = services.config(resource);
  if (config !== undefined) return config;
  const { kind, name } = resource.spec.providerConfigRef;
  throw new ResourceError('ProviderConfigNotFound', `there is no ${kind} ${JSON.stringify(name)}`);
};

/** Whether the server is shared by namespaces that are kept apart. */
export const isIsolated = ({ kind, spec }: ProviderConfig): boolean =>
  kind === 'ClusterProviderConfig' && spec.isolation !== 'None';

/** The server of a run, and the tools that speak to it. */
export class Side {
  readonly engine: BackupEngine;
  readonly version: string;
  readonly operations: JobOperations;
  readonly #connection: ServerConnection;

  private constructor(connection: ServerConnection, engine: BackupEngine, version: string, operations: JobOperations) {
    this.#connection = connection;
    this.engine = engine;
    this.version = version;
    this.operations = operations;
  }

  static async connect(resource: Managed, services: WorkServices, signal: AbortSignal): Promise<Side> {
    const connection = await services.connect(resource, signal);
    const { engine, product } = await connection.engine.info(signal);
    const { jobs } = connection.engine;
    if (jobs === undefined || !isBackupEngine(engine))
      throw new ResourceError('NotSupported', `${resource.kind} is not supported on ${engine}`, { retryable: false });
    return new Side(connection, engine, /\d[\d.]*\S*/.exec(product)?.[0] ?? '', jobs);
  }

  dump(tool: string, login: { name: string; password?: Secret }, database: string): ToolContainer {
    return tools[this.engine].dump(this.#server(login, database), folders(tool));
  }

  load(
    tool: string,
    login: { name: string; password?: Secret },
    database: string,
    options: LoadOptions = {},
  ): ToolContainer {
    return tools[this.engine].load(this.#server(login, database), folders(tool), options);
  }

  #server(login: { name: string; password?: Secret }, database: string): ToolServer {
    const { host, port, tls } = this.#connection.settings;
    const isNamed = tls.serverName !== undefined && tls.mode === 'verify-full';
    if (isNamed && !tools[this.engine].knowsServerName)
      throw new ResourceError(
        'NotSupported',
        `tls.serverName: the dump and load tools of ${this.engine} expect the certificate of the endpoint; let the endpoint be the name that the certificate has`,
        { retryable: false },
      );
    return {
      host,
      port,
      username: login.name,
      ...(login.password === undefined ? {} : { password: login.password.reveal() }),
      database,
      version: this.version,
      // The certificate of the administrator stays here: it would prove the administrator, not the login of the run.
      tls: {
        mode: tls.mode,
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.serverName === undefined || !isNamed ? {} : { serverName: tls.serverName }),
      },
    };
  }
}

const isBackupEngine = (engine: EngineName): engine is BackupEngine => BACKUP_ENGINES.some((known) => known === engine);

const folders = (tool: string) => ({ work: workFolder(tool), secrets: FOLDERS.secrets });

/** How long a login outlives the run that it is made for, should nobody drop it. */
const MARGIN_MS = 3_600_000;

export const newLogin = (name: string, deadlineSeconds: number, now: Date): RunLogin => ({
  name,
  password: generatePassword(),
  validUntil: new Date(now.getTime() + deadlineSeconds * 1000 + MARGIN_MS),
});

/** The parts of a container that do not change from run to run. */
export const fixedParts = ({ image, command, env }: ToolContainer): PodPlan['tools'][string] => ({
  image,
  command,
  env,
});

export const runnerFiles = (request: RunRequestInput, place?: ResolvedPlace): Record<string, string> => ({
  ...place?.files,
  [REQUEST_FILE]: JSON.stringify(request),
});
