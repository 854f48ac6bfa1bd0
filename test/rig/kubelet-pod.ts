/** The life of one pod: init containers in turn, then all others, restarts, deadline and deletion. */
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '../../provider/api/kind.ts';
import { Container, type ContainerSpec } from './kubelet-container.ts';
import type { Image } from './kubelet-sandbox.ts';
import { makeVolumes, NotYetError, type Volume, type VolumeContext } from './kubelet-volumes.ts';

interface PodSpec {
  restartPolicy?: string;
  initContainers?: ContainerSpec[];
  containers: ContainerSpec[];
  volumes?: Volume[];
  activeDeadlineSeconds?: number;
  terminationGracePeriodSeconds?: number;
  securityContext?: { fsGroup?: number };
}

export interface PodServices {
  images: Readonly<Record<string, Image>>;
  get: VolumeContext['get'];
  claim: VolumeContext['claim'];
  token: VolumeContext['token'];
  environment: VolumeContext['environment'];
  report(status: Record<string, unknown>): Promise<void>;
  /** The pod has ended, and may leave the API server. */
  gone(): Promise<void>;
}

const RETRY_MS = 200;

export class PodRun {
  readonly pod: KubeObject;
  readonly #folder: string;
  readonly #services: PodServices;
  readonly #spec: PodSpec;
  readonly #init: Container[];
  readonly #main: Container[];
  readonly #done = Promise.withResolvers<void>();
  #phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' = 'Pending';
  #reason: { reason: string; message: string } | undefined;
  #isEnding = false;
  #isDeleting = false;
  #startTime = '';
  /** Reports go one after another, the newest state each. */
  #reporting: Promise<void> = Promise.resolve();

  constructor(pod: KubeObject, folder: string, services: PodServices) {
    this.pod = pod;
    this.#folder = folder;
    this.#services = services;
    this.#spec = pod['spec'] as PodSpec;
    this.#init = (this.#spec.initContainers ?? []).map((spec) => new Container(spec, folder));
    this.#main = this.#spec.containers.map((spec) => new Container(spec, folder));
  }

  container(name: string): Container {
    const found = [...this.#init, ...this.#main].find(({ spec }) => spec.name === name);
    if (found === undefined) throw new Error(`pod ${this.pod.metadata.name} has no container ${name}`);
    return found;
  }

  async run(): Promise<void> {
    this.#startTime = new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
    const seconds = this.#spec.activeDeadlineSeconds;
    const deadline =
      seconds === undefined
        ? undefined
        : setTimeout(() => {
            this.#reason = {
              reason: 'DeadlineExceeded',
              message: 'Pod was active on the node longer than the specified deadline',
            };
            void this.#end();
          }, seconds * 1000);
    try {
      await mkdir(this.#folder, { recursive: true });
      await this.#report();
      const { volumes, context } = await this.#volumes();
      let isGood = !this.#isEnding;
      for (const container of this.#init) isGood = isGood && (await this.#toEnd(container, volumes, context)) === 0;
      if (isGood) {
        const codes = await Promise.all(
          this.#main.map(async (container) => await this.#toEnd(container, volumes, context)),
        );
        isGood = codes.every((code) => code === 0);
      }
      this.#phase = isGood && this.#reason === undefined ? 'Succeeded' : 'Failed';
    } catch (error) {
      this.#phase = 'Failed';
      this.#reason ??= { reason: 'Error', message: String(error) };
    } finally {
      clearTimeout(deadline);
    }
    await this.#report();
    this.#done.resolve();
    if (this.#isDeleting) await this.#services.gone();
  }

  /** The API server wants the pod gone: SIGTERM, patience, SIGKILL. */
  terminate(): void {
    if (this.#isDeleting) return;
    this.#isDeleting = true;
    if (this.#phase === 'Succeeded' || this.#phase === 'Failed') void this.#services.gone();
    else void this.#end();
  }

  kill(): void {
    this.#isEnding = true;
    for (const container of this.#all()) container.signal('SIGKILL');
  }

  async stop(): Promise<void> {
    this.kill();
    await this.#done.promise;
  }

  #all(): Container[] {
    return [...this.#init, ...this.#main];
  }

  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const container of this.#all()) container.signal('SIGTERM');
    const grace =
      this.pod.metadata.deletionTimestamp === undefined ? this.#spec.terminationGracePeriodSeconds : undefined;
    await Promise.race([
      this.#done.promise,
      delay((grace ?? this.#spec.terminationGracePeriodSeconds ?? 30) * 1000, undefined, { ref: false }),
    ]);
    for (const container of this.#all()) container.signal('SIGKILL');
  }

  async #volumes(): Promise<{ volumes: Map<string, string>; context: VolumeContext }> {
    const context: VolumeContext = {
      namespace: this.pod.metadata.namespace ?? '',
      pod: this.pod,
      folder: this.#folder,
      fsGroup: this.#spec.securityContext?.fsGroup,
      environment: this.#services.environment,
      get: this.#services.get,
      claim: this.#services.claim,
      token: this.#services.token,
    };
    return {
      context,
      volumes: await this.#patiently(async () => await makeVolumes(this.#spec.volumes ?? [], context)),
    };
  }

  /** What is not there yet is waited for, and said in the status of every container. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NotYetError) || this.#isEnding) throw error;
        if (isFirst) {
          for (const container of this.#all())
            if (container.state.waiting !== undefined)
              container.state = { waiting: { reason: 'CreateContainerConfigError', message: error.message } };
          await this.#report();
        }
        await delay(RETRY_MS);
      }
  }

  /** Runs a container until it need not be run again; gives its last exit code. */
  async #toEnd(container: Container, volumes: Map<string, string>, context: VolumeContext): Promise<number> {
    for (;;) {
      const code = await this.#patiently(async () => {
        const image = this.#services.images[container.spec.image];
        if (image === undefined) throw new NotYetError(`ErrImagePull: no image ${container.spec.image}`);
        return await container.run(image, volumes, context, () => {
          this.#phase = 'Running';
          void this.#report();
        });
      });
      await this.#report();
      const policy = this.#spec.restartPolicy ?? 'Always';
      const isAgain = policy === 'Always' || (policy === 'OnFailure' && code !== 0);
      if (!isAgain || this.#isEnding) return code;
      await delay(RETRY_MS * 5);
      container.restartCount += 1;
    }
  }

  #isReady(): boolean {
    return this.#phase === 'Running' && this.#main.every(({ isReady }) => isReady);
  }

  async #report(): Promise<void> {
    this.#reporting = this.#reporting.then(async () => {
      await this.#services.report({
        phase: this.#phase,
        startTime: this.#startTime,
        ...this.#reason,
        hostIP: '127.0.0.1',
        podIP: '127.0.0.1',
        conditions: [{ type: 'Ready', status: this.#isReady() ? 'True' : 'False' }],
        initContainerStatuses: this.#init.map((container) => container.status(true)),
        containerStatuses: this.#main.map((container) => container.status(false)),
      });
    });
    await this.#reporting;
  }
}
