import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type FunctionHandler,
  FunctionRunner,
  newGrpcServer,
  Ready,
  setDesiredCompositeStatus,
  to,
} from '@crossplane-org/function-sdk-typescript';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Crossplane, startCrossplane } from './crossplane.ts';
import { type Cluster, startKubernetes } from './kubernetes.ts';

let cluster: Cluster;
let crossplane: Crossplane;
let server: Server;
let folder: string;

/** Says yes to everything: it is the way there and back that is tried here. */
const handler: FunctionHandler = {
  RunFunction(request) {
    const response = setDesiredCompositeStatus({ rsp: to(request), status: { seen: true } });
    const composite = response.desired?.composite;
    if (composite) {
      composite.ready = Ready.READY_TRUE;
    }
    return Promise.resolve(response);
  },
};

async function serve(certificates: string): Promise<number> {
  const logger = pino({ level: 'silent' });
  server = newGrpcServer(new FunctionRunner(handler, logger), logger);
  const [authority, certificate, key] = await Promise.all(
    ['ca.crt', 'tls.crt', 'tls.key'].map((file) => readFile(join(certificates, file))),
  );
  if (!authority || !certificate || !key) {
    throw new Error('certificates are missing');
  }
  // No client certificate is asked for: core's has the same subject as its issuer and no key identifiers, which OpenSSL, and so
  // Node, takes for self-signed. A function that wants to know its caller has to check the signature by itself.
  const credentials = ServerCredentials.createSsl(authority, [{ cert_chain: certificate, private_key: key }], false);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-function-'));
  cluster = await startKubernetes();
  crossplane = await startCrossplane(cluster);
  await crossplane.functionCertificates(folder);
  await crossplane.registerFunction('function-yes', `127.0.0.1:${await serve(folder)}`);
});

afterAll(async () => {
  server?.forceShutdown();
  await crossplane?.stop();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('core calls a local function over TLS and makes the XR Ready', async () => {
  await cluster.apply({
    apiVersion: 'apiextensions.crossplane.io/v2',
    kind: 'CompositeResourceDefinition',
    metadata: { name: 'xthings.rig.test' },
    spec: {
      group: 'rig.test',
      scope: 'Namespaced',
      names: { kind: 'XThing', plural: 'xthings' },
      versions: [
        {
          name: 'v1',
          served: true,
          referenceable: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { status: { type: 'object', properties: { seen: { type: 'boolean' } } } },
            },
          },
        },
      ],
    },
  });
  await cluster.wait('condition=Established', 'xrd/xthings.rig.test');
  await cluster.apply([
    {
      apiVersion: 'apiextensions.crossplane.io/v1',
      kind: 'Composition',
      metadata: { name: 'xthings' },
      spec: {
        compositeTypeRef: { apiVersion: 'rig.test/v1', kind: 'XThing' },
        mode: 'Pipeline',
        pipeline: [{ step: 'yes', functionRef: { name: 'function-yes' } }],
      },
    },
    { apiVersion: 'rig.test/v1', kind: 'XThing', metadata: { name: 'one', namespace: 'default' }, spec: {} },
  ]);
  await cluster.wait('condition=Ready', 'xthing/one', '-n', 'default');
  expect(await cluster.get('xthing', 'one')).toMatchObject({ status: { seen: true } });
});

test('what is deleted goes', async () => {
  await cluster.kubectl(['delete', 'xthing', 'one', '--timeout=60s']);
});
