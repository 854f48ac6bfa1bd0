/** What the work of every kind of run begins with: the resource, its server, and the files that it reads or writes. */
import { IDENTITY_KEY } from '../../api/common.ts';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { FOLDERS, workFolder } from '../../backup/job-spec.ts';
import type { RunRequestInput } from '../../backup/contract.ts';
import type { ToolContainer } from '../../backup/tools/tool.ts';
import { ResourceError } from '../../common/errors.ts';
import type { RunLogin } from '../../engines/jobs.ts';
import { type RunRole, type ServerNames, serverNames } from './names.ts';
import { type ResolvedPlace, secretKeyValue } from './places.ts';
import type { Job } from './store.ts';
import {
  configOf,
  type Files,
  fixedParts,
  type Layout,
  newLogin,
  runnerFiles,
  Side,
  type Work,
  type WorkServices,
} from './work.ts';

/** The name of the only tool of a backup or a restore. */
export const TOOL = 'tool';

const IDENTITY_FILE = 'identity';

type RestoreRequest = Extract<RunRequestInput, { action: 'restore' }>;

export abstract class ResourceWork<F extends { activeDeadlineSeconds?: number }> implements Work {
  readonly containers: readonly string[] = [TOOL];
  protected readonly resource: Managed;
  protected readonly services: WorkServices;
  protected readonly names: ServerNames;

  constructor(resource: Managed, services: WorkServices, role: RunRole = 'run') {
    this.resource = resource;
    this.services = services;
    this.names = serverNames(resource, role);
  }

  protected get fields(): F {
    return this.resource.spec.forProvider as unknown as F;
  }

  protected get namespace(): string {
    return this.resource.metadata.namespace ?? '';
  }

  protected get deadline(): number {
    return this.fields.activeDeadlineSeconds ?? 86_400;
  }

  protected newLogin(name = this.names.login): RunLogin {
    return newLogin(name, this.deadline, this.services.now());
  }

  configs(): ProviderConfig[] {
    return [configOf(this.resource, this.services)];
  }

  get jobNamespace(): string {
    const isShared = this.configs().some(({ kind }) => kind === 'ClusterProviderConfig');
    return isShared ? this.services.providerNamespace : this.namespace;
  }

  /** Refuses a storage of a tenant's that a Job beside the platform's credentials would reach with what is the platform's. */
  protected within(resolved: ResolvedPlace): ResolvedPlace {
    const { place, volume, isShared } = resolved;
    if (isShared || this.jobNamespace === this.namespace) return resolved;
    const hasOwnKey = place.type === 's3' && place.credentials !== undefined;
    if (volume === undefined && hasOwnKey) return resolved;
    throw new ResourceError(
      'NotYours',
      'the storage has no key of its own: a Job of a ClusterProviderConfig would reach it with the identity, or as a volume, of the platform',
      { retryable: false },
    );
  }

  protected async side(signal: AbortSignal): Promise<Side> {
    return await Side.connect(this.resource, this.services, signal);
  }

  /** What the runner of a restore is told, and the private key that it reads an encrypted backup with. */
  protected async restoreFiles(
    request: Pick<RestoreRequest, 'source' | 'verify'>,
    place: ResolvedPlace,
    identity: { field: string; ref: { name: string; key?: string } | undefined },
  ): Promise<Record<string, string>> {
    const { field, ref } = identity;
    const files = runnerFiles(
      {
        action: 'restore',
        storage: place.place,
        tool: { folder: workFolder(TOOL) },
        ...request,
        ...(ref === undefined ? {} : { identityFile: `${FOLDERS.secrets}/${IDENTITY_FILE}` }),
      },
      place,
    );
    if (ref === undefined) return files;
    const key = await secretKeyValue(ref, IDENTITY_KEY, field, this.namespace, this.services.readSecret);
    return { ...files, [IDENTITY_FILE]: key };
  }

  abstract layout(signal: AbortSignal): Promise<Layout>;
  abstract prepare(job: Job, signal: AbortSignal): Promise<Files>;
  abstract cleanUp(signal: AbortSignal): Promise<void>;
}

/** Pods with one tool beside the runner, and the volume of the storage where it is one. */
export const layoutOf = (tool: ToolContainer, { volume }: Pick<ResolvedPlace, 'volume'>): Layout => ({
  tools: { [TOOL]: fixedParts(tool) },
  ...(volume === undefined ? {} : { volume }),
});
