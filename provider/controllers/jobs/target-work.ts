/** What runs of Restore and Copy have in common: data is loaded beside the target and then takes its place. */
import type { CopyParameters } from '../../api/copy.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import { ResourceError } from '../../common/errors.ts';
import { type Beside, type HandOver, targetNotEmpty } from '../../engines/jobs.ts';
import { ResourceWork } from './resource-work.ts';
import { configOf, type Conclusion, isIsolated, type Side } from './work.ts';

export abstract class TargetWork<F extends RestoreParameters | CopyParameters> extends ResourceWork<F> {
  protected get target(): string {
    return this.fields.targetDatabase ?? '';
  }

  get #beside(): Beside {
    const { beside: name, run } = this.names;
    const mayBeAdministrators = !isIsolated(configOf(this.resource, this.services));
    return { like: this.target, name, run, mayBeAdministrators };
  }

  get #order(): Pick<HandOver, 'target' | 'beside' | 'replaced' | 'login'> {
    const { login, replaced } = this.names;
    return { target: this.target, beside: this.#beside, replaced, login };
  }

  /** Refuses what would fail at the end anyway, before hours are spent on it. */
  protected async makeBeside(side: Side, signal: AbortSignal) {
    this.services.guard.check(this.resource);
    if (this.fields.mode !== 'Replace') {
      const { empty, summary } = await side.operations.contents(this.target, signal);
      if (!empty) throw targetNotEmpty(this.target, summary);
    }
    const { run, replaced } = this.names;
    // Of a run before this one, whose Job was taken away in the middle.
    await side.operations.settle(this.#order, signal);
    // A schedule that keeps what it replaced keeps the last one.
    await side.operations.dropBeside({ name: replaced, run }, signal);
    const login = this.newLogin();
    return { login, ...(await side.operations.makeBeside(login, this.#beside, signal)) };
  }

  async conclude(signal: AbortSignal): Promise<Conclusion> {
    const side = await this.side(signal);
    const { openSessions, mode } = this.fields;
    const sessions = await side.operations.handOver(
      {
        ...this.#order,
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
    await operations.settle(this.#order, signal);
    await operations.dropBeside({ name: beside, run }, signal);
    if (!this.fields.keepReplaced) await operations.dropBeside({ name: replaced, run }, signal);
    await operations.dropLogin(login, signal);
  }
}
