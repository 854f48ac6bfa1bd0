/** The gRPC server of the function: what it answers and how it stops. */
import {
  FunctionRunnerServiceService,
  type RunFunctionRequest,
  type RunFunctionResponse,
  Severity,
} from '@crossplane-org/function-sdk-typescript';
import { type sendUnaryData, Server, type ServerUnaryCall } from '@grpc/grpc-js';
import { compose } from '../compose.ts';
import { Health, HealthService } from './health.ts';
import { type Bound, DEFAULT_DRAIN_MS, type ListenOptions, listen } from './listen.ts';

export interface FunctionOptions extends ListenOptions {
  /** Largest request in bytes; default 16 MiB, as observed state of many resources outgrows gRPC's own 4 MiB. */
  maxReceiveBytes?: number;
  /** Called once for each request, with how long it took. */
  onCall?: (call: { tag: string; fatal: string | undefined; milliseconds: number }) => void;
}

export interface FunctionServer {
  port: number;
  /** Lets calls end, at most until the deadline. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_RECEIVE_BYTES = 16 * 1024 * 1024;

/**
 * Serves the function and grpc.health.v1.
 * @throws Error when a certificate cannot be read or the address cannot be bound.
 */
export async function startFunction(options: FunctionOptions): Promise<FunctionServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES,
    'grpc.max_send_message_length': -1,
  });
  const health = new Health(['apiextensions.fn.proto.v1.FunctionRunnerService']);
  server.addService(FunctionRunnerServiceService, {
    runFunction(
      { request }: ServerUnaryCall<RunFunctionRequest, RunFunctionResponse>,
      callback: sendUnaryData<RunFunctionResponse>,
    ): void {
      const start = performance.now();
      const response = compose(request);
      callback(null, response);
      options.onCall?.({
        tag: request.meta?.tag ?? '',
        fatal: response.results.find(({ severity }) => severity === Severity.SEVERITY_FATAL)?.message,
        milliseconds: performance.now() - start,
      });
    },
  });
  server.addService(HealthService, health.implementation);
  let bound: Bound;
  try {
    bound = await listen(server, options);
  } catch (error) {
    server.forceShutdown();
    throw error;
  }
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    health.stop();
    bound.close();
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => {
        server.forceShutdown();
        resolve();
      }, options.drainMs ?? DEFAULT_DRAIN_MS);
      server.tryShutdown(() => {
        clearTimeout(deadline);
        resolve();
      });
    });
  };
  return { port: bound.port, stop: async () => await (stopping ??= stop()) };
}
