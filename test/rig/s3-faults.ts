/** A proxy in front of an S3 server that answers instead of it, or breaks the connection, when a test says so. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';

export interface S3Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
}

/**
 * What is done with a request instead of passing it on. `answer` refuses; `forget` says yes and does nothing; `lose` passes it on and then breaks the connection
 * in place of the answer; `cut` passes on so many bytes of the answer's body and breaks the connection, `stall` keeps it and says nothing more; `change` gives the answer's body another form.
 */
export type Fault =
  | { answer: number; code: string; date?: Date }
  | { forget: true }
  | { lose: true }
  | { cut: number }
  | { stall: number }
  | { hang: true }
  | { change: (body: Buffer) => Buffer };

export interface FaultyS3 {
  endpoint: string;
  /** Requests so far, oldest first. */
  readonly requests: readonly S3Request[];
  /** Asked for every request. */
  fault: (request: S3Request) => Fault | undefined;
  stop(): Promise<void>;
}

export async function startFaultyS3(target: string): Promise<FaultyS3> {
  const { hostname, port } = new URL(target);
  const requests: S3Request[] = [];
  const server = createServer((incoming, response) => {
    const url = new URL(incoming.url ?? '/', target);
    const described = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
    };
    requests.push(described);
    const fault = proxy.fault(described);
    if (fault !== undefined && 'hang' in fault) return;
    if (fault !== undefined && 'forget' in fault) {
      incoming.resume();
      incoming.once('end', () => response.writeHead(200, { etag: '"0"' }).end());
      return;
    }
    if (fault !== undefined && 'answer' in fault) {
      refuse(incoming, response, fault);
      return;
    }
    // The host that the client has signed.
    const onward = httpRequest(
      { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
      (answer) => void passBack(answer, response, fault),
    );
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  const proxy: FaultyS3 = {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    fault: () => undefined,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return proxy;
}

function refuse(
  incoming: IncomingMessage,
  response: ServerResponse,
  { answer, code, date }: { answer: number; code: string; date?: Date },
) {
  incoming.resume();
  incoming.once('end', () => {
    response.writeHead(answer, {
      'content-type': 'application/xml',
      connection: 'close',
      ...(date === undefined ? {} : { date: date.toUTCString() }),
    });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as the test wants it</Message></Error>`);
  });
}

async function passBack(answer: IncomingMessage, response: ServerResponse, fault: Fault | undefined): Promise<void> {
  if (fault === undefined) {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
    return;
  }
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  if ('lose' in fault) {
    response.destroy();
    return;
  }
  response.writeHead(answer.statusCode ?? 500, answer.headers);
  if ('change' in fault) response.end(fault.change(body));
  else if ('stall' in fault) response.write(body.subarray(0, fault.stall));
  else if ('cut' in fault) response.write(body.subarray(0, fault.cut), () => response.destroy());
}
