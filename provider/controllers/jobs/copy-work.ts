/** Runs of Copy and CopySchedule: a dump of one database streams into another, on the same server or on another one. */
import type { CopyParameters } from '../../api/copy.ts';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { RUNNER, workFolder } from '../../backup/job-spec.ts';
import { invalidSpec, ResourceError } from '../../common/errors.ts';
import type { Job } from './store.ts';
import { TargetWork } from './target-work.ts';
import { configOf, type Files, fixedParts, type Layout, runnerFiles, Side } from './work.ts';

/** Names of the two tools of a copy. */
const FROM = 'from';
const TO = 'to';

export class CopyWork extends TargetWork<CopyParameters> {
  override readonly containers = [FROM, TO];

  override configs(): ProviderConfig[] {
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
    const reader = this.newLogin(this.names.sourceLogin);
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
