/** Runs of Restore and Copy, and of their schedules: data is loaded beside the target and then takes its place. */
import { IDENTITY_KEY } from '../../api/common.ts';
import type { CopyParameters } from '../../api/copy.ts';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import type { Storage } from '../../api/storage.ts';
import { RUNNER, workFolder } from '../../backup/job-spec.ts';
import { invalidSpec, ResourceError, waiting } from '../../common/errors.ts';
import type { Beside } from '../../engines/jobs.ts';
import { defined } from '../../resources/creation.ts';
import { TOOL } from './backup-work.ts';
import { serverNames } from './names.ts';
import { type ResolvedPlace, resolvePlace, secretKeyValue } from './places.ts';
import type { Job } from './store.ts';
import {
  configOf,
  type Conclusion,
  type Files,
  isIsolated,
  fixedParts,
  type Layout,
  newLogin,
  runnerFiles,
  Side,
  type Work,
  type WorkServices,
} from './work.ts';

abstract class TargetWork<F extends RestoreParameters | CopyParameters> implements Work {
  protected readonly resource: Managed;
  protected readonly services: WorkServices;
  protected readonly names: ReturnType<typeof serverNames>;
  readonly containers: readonly string[] = [TOOL];

  constructor(resource: Managed, services: WorkServices) {
    this.resource = resource;
    this.services = services;
    this.names = serverNames(resource, 'run');
  }

  protected get fields(): F {
    return this.resource.spec.forProvider as unknown as F;
  }

  protected get namespace(): string {
    return this.resource.metadata.namespace ?? '';
  }

  protected get target(): string {
    return this.fields.targetDatabase ?? '';
  }

  protected get deadline(): number {
    return this.fields.activeDeadlineSeconds ?? 86_400;
  }

  protected async side(signal: AbortSignal): Promise<Side> {
    return await Side.connect(this.resource, this.services, signal);
  }

  abstract configs(): ProviderConfig[];
  abstract layout(signal: AbortSignal): Promise<Layout>;
  abstract prepare(job: Job, signal: AbortSignal): Promise<Files>;

  get #beside(): Beside {
    const { beside: name, run } = this.names;
    const mayBeAdministrators = !isIsolated(configOf(this.resource, this.services));
    return { like: this.target, name, run, mayBeAdministrators };
  }

  /** Refuses what would fail at the end anyway, before hours are spent on it. */
  protected async makeBeside(side: Side, signal: AbortSignal) {
    this.services.guard.check(this.resource);
    if (this.fields.mode !== 'Replace') {
      const { empty, summary } = await side.operations.contents(this.target, signal);
      if (!empty)
        throw new ResourceError(
          'TargetNotEmpty',
          `database ${JSON.stringify(this.target)} holds ${summary}, and mode is FailIfNotEmpty; it was left as it was. Use mode Replace to replace it`,
          { retryable: false },
        );
    }
    const { run, replaced, login: loginName } = this.names;
    // A schedule that keeps what it replaced keeps the last one.
    await side.operations.dropBeside({ name: replaced, run }, signal);
    const login = newLogin(loginName, this.deadline, this.services.now());
    return { login, ...(await side.operations.makeBeside(login, this.#beside, signal)) };
  }

  async conclude(signal: AbortSignal): Promise<Conclusion> {
    const side = await this.side(signal);
    const { login, replaced } = this.names;
    const { openSessions, mode } = this.fields;
    const sessions = await side.operations.handOver(
      {
        target: this.target,
        beside: this.#beside,
        replaced,
        login,
        requireEmpty: mode !== 'Replace',
        endSessions: openSessions === 'Terminate',
      },
      signal,
    );
    if (sessions === 0) {
      this.services.onReplaced(this.resource);
      return { state: 'done' };
    }
    const message = `${sessions} session${sessions === 1 ? ' is' : 's are'} open in database ${JSON.stringify(this.target)}, and openSessions is ${openSessions}`;
    if (openSessions === 'Wait') return { state: 'waiting', message };
    throw new ResourceError('SessionsOpen', `${message}; it was left as it was`, { retryable: false });
  }

  async cleanUp(signal: AbortSignal): Promise<void> {
    const { operations } = await this.side(signal);
    const { login, beside, replaced, run } = this.names;
    await operations.dropBeside({ name: beside, run }, signal);
    if (!this.fields.keepReplaced) await operations.dropBeside({ name: replaced, run }, signal);
    await operations.dropLogin(login, signal);
  }
}

export class RestoreWork extends TargetWork<RestoreParameters> {
  configs(): ProviderConfig[] {
    const own = configOf(this.resource, this.services);
    const backup = this.#backup();
    return backup === undefined ? [own] : [own, configOf(backup, this.services)];
  }

  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, { place }] = [await this.side(signal), await this.#source()];
    const tool = fixedParts(side.load(TOOL, { name: this.names.login }, this.names.beside));
    return { tools: { [TOOL]: tool }, ...(place.volume === undefined ? {} : { volume: place.volume }) };
  }

  async prepare(_job: Job, signal: AbortSignal): Promise<Files> {
    const side = await this.side(signal);
    const { place, key, name } = await this.#source();
    const { login, database } = await this.makeBeside(side, signal);
    const { source, sourceDatabase, identitySecretRef } = this.fields;
    const files = runnerFiles(
      {
        action: 'restore',
        storage: place.place,
        source: {
          database: sourceDatabase ?? this.target,
          engine: side.engine,
          ...defined({ key, name, before: source.before, maxAge: source.maxAge, verifiedOnly: source.verifiedOnly }),
          ...(place.isShared ? { namespace: this.namespace } : {}),
        },
        tool: { folder: workFolder(TOOL) },
        ...(identitySecretRef === undefined ? {} : { identityFile: '/xdatabase/secrets/identity' }),
      },
      place,
    );
    if (identitySecretRef !== undefined)
      files['identity'] = await secretKeyValue(
        identitySecretRef,
        IDENTITY_KEY,
        'identitySecretRef',
        this.namespace,
        this.services.readSecret,
      );
    return { [RUNNER]: files, [TOOL]: side.load(TOOL, login, database).files };
  }

  #backup(): Managed | undefined {
    const name = this.fields.source.backupRef?.name;
    if (name === undefined) return undefined;
    const backup = this.services.get('Backup', this.namespace, name);
    if (backup === undefined)
      throw new ResourceError(
        'ReferenceNotFound',
        `forProvider.source.backupRef: there is no Backup ${JSON.stringify(name)} in namespace ${JSON.stringify(this.namespace)}`,
      );
    return backup;
  }

  async #source(): Promise<{ place: ResolvedPlace; key: string | undefined; name: string | undefined }> {
    const backup = this.#backup();
    const holder = backup ?? this.resource;
    const storage: Storage | undefined =
      backup === undefined ? this.fields.source.storage : (backup.spec.forProvider['storage'] as Storage);
    if (storage === undefined) throw invalidSpec('forProvider.source.storage is required');
    const place = await resolvePlace(
      storage,
      this.namespace,
      configOf(holder, this.services),
      this.services.readSecret,
    );
    if (backup === undefined) return { place, key: this.fields.source.key, name: undefined };
    const { phase, key } = (backup.status?.atProvider ?? {}) as { phase?: string; key?: string };
    if (phase === 'Failed')
      throw new ResourceError(
        'BackupFailed',
        `forProvider.source.backupRef: Backup ${JSON.stringify(backup.metadata.name)} has failed`,
        { retryable: false },
      );
    if (phase !== 'Succeeded' || key === undefined)
      throw waiting(
        `forProvider.source.backupRef: Backup ${JSON.stringify(backup.metadata.name)} has not succeeded yet`,
      );
    return { place, key, name: backup.metadata.name };
  }
}

/** Names of the two tools of a copy. */
const FROM = 'from';
const TO = 'to';

export class CopyWork extends TargetWork<CopyParameters> {
  override readonly containers = [FROM, TO];

  configs(): ProviderConfig[] {
    const [own, source] = [this.resource, this.#source()].map((resource) => configOf(resource, this.services));
    return [own!, source!];
  }

  async layout(signal: AbortSignal): Promise<Layout> {
    const { from, to } = await this.#sides(signal);
    return {
      tools: {
        [FROM]: fixedParts(from.dump(FROM, { name: this.names.sourceLogin }, this.#sourceDatabase)),
        [TO]: fixedParts(to.load(TO, { name: this.names.login }, this.names.beside, this.#options())),
      },
    };
  }

  async prepare(_job: Job, signal: AbortSignal): Promise<Files> {
    const { from, to } = await this.#sides(signal);
    this.services.guard.check(this.#source());
    const { login, database } = await this.makeBeside(to, signal);
    const reader = newLogin(this.names.sourceLogin, this.deadline, this.services.now());
    await from.operations.makeReader(reader, this.#sourceDatabase, signal);
    const request = {
      action: 'copy' as const,
      engine: to.engine,
      from: { folder: workFolder(FROM) },
      to: { folder: workFolder(TO) },
    };
    return {
      [RUNNER]: runnerFiles(request),
      [FROM]: from.dump(FROM, reader, this.#sourceDatabase).files,
      [TO]: to.load(TO, login, database, this.#options()).files,
    };
  }

  override async cleanUp(signal: AbortSignal): Promise<void> {
    await super.cleanUp(signal);
    const source = await Side.connect(this.#source(), this.services, signal);
    await source.operations.dropLogin(this.names.sourceLogin, signal);
  }

  get #sourceDatabase(): string {
    return this.fields.sourceDatabase ?? '';
  }

  #options() {
    const { transformSQL } = this.fields;
    return transformSQL === undefined ? {} : { transformSQL };
  }

  /** The resource as if it were of the source: the same checks apply to that side. */
  #source(): Managed {
    const { sourceProviderConfigRef } = this.fields;
    const { spec } = this.resource;
    return {
      ...this.resource,
      spec: {
        ...spec,
        forProvider: { database: this.#sourceDatabase },
        ...(sourceProviderConfigRef === undefined
          ? {}
          : {
              providerConfigRef: {
                kind: sourceProviderConfigRef.kind ?? 'ClusterProviderConfig',
                name: sourceProviderConfigRef.name,
              },
            }),
      },
    };
  }

  async #sides(signal: AbortSignal): Promise<{ from: Side; to: Side }> {
    const to = await this.side(signal);
    const from = await Side.connect(this.#source(), this.services, signal);
    if (from.engine !== to.engine)
      throw new ResourceError(
        'EngineMismatch',
        `the source is ${from.engine} and the target is ${to.engine}: a copy is between servers of one engine`,
        { retryable: false },
      );
    const isOneServer = this.fields.sourceProviderConfigRef === undefined;
    if (isOneServer && this.#sourceDatabase === this.target)
      throw invalidSpec('forProvider.targetDatabase must be another database than sourceDatabase');
    return { from, to };
  }
}
