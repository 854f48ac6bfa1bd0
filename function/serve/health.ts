/** The standard health service (grpc.health.v1), so that probes need no knowledge of this function. */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

interface HealthRequest {
  service: string;
}

interface HealthReply {
  status: number;
}

function readRequest(bytes: Buffer): HealthRequest {
  const reader = new BinaryReader(bytes);
  const request: HealthRequest = { service: '' };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) request.service = reader.string();
    else reader.skip(wireType);
  }
  return request;
}

const method = (name: string, responseStream: boolean) => ({
  path: `/grpc.health.v1.Health/${name}`,
  requestStream: false,
  responseStream,
  requestDeserialize: readRequest,
  requestSerialize: ({ service }: HealthRequest) =>
    Buffer.concat([Buffer.from([0x0a, Buffer.byteLength(service)]), Buffer.from(service)]),
  // One varint field of one byte.
  responseSerialize: (reply: HealthReply) => Buffer.from([0x08, reply.status]),
  responseDeserialize: (bytes: Buffer): HealthReply => ({ status: bytes[1] ?? 0 }),
});

export const HealthService = {
  Check: method('Check', false),
  Watch: method('Watch', true),
} satisfies ServiceDefinition;

/** Answers for the whole server (service '') and for the services it is given. */
export class Health {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<ServerWritableStream<HealthRequest, HealthReply>>();
  #status = SERVING;

  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  readonly implementation: UntypedServiceImplementation = {
    Check: (
      call: { request: HealthRequest },
      callback: (error: { code: status; details: string } | null, reply?: HealthReply) => void,
    ) => {
      if (this.#services.has(call.request.service)) callback(null, { status: this.#status });
      else callback({ code: status.NOT_FOUND, details: `unknown service ${JSON.stringify(call.request.service)}` });
    },
    Watch: (call: ServerWritableStream<HealthRequest, HealthReply>) => {
      if (!this.#services.has(call.request.service)) {
        call.write({ status: SERVICE_UNKNOWN });
        return;
      }
      this.#watchers.add(call);
      call.on('cancelled', () => this.#watchers.delete(call));
      call.write({ status: this.#status });
    },
  };

  /** Says that no more calls should come, and ends every watch: an open one would hold up the shutdown. */
  stop(): void {
    this.#status = NOT_SERVING;
    for (const watcher of this.#watchers) {
      watcher.write({ status: NOT_SERVING });
      watcher.end();
    }
    this.#watchers.clear();
  }
}
