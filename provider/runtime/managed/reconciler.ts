/** Reconciles one managed resource by name: every attempt is a pass over the newest version that is known. */
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { ReconcileOutcome, ReconcilerOptions } from './options.ts';
import { Pass } from './pass.ts';

export class ManagedReconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(namespace: string, name: string, signal: AbortSignal, notBefore: number): Promise<ReconcileOutcome> {
    const stored = await this.#options.store.get(namespace, name);
    if (stored === undefined) return {};
    const pass = new Pass(this.#options, structuredClone(stored), signal, notBefore);
    try {
      return await pass.run();
    } catch (error) {
      // A newer version is on its way through the watch; acting on the old one would only conflict again.
      if (isConflict(error)) throw error;
      if (isNotFound(error) && (await this.#options.store.get(namespace, name)) === undefined) return {};
      return await pass.fail(error);
    }
  }
}
