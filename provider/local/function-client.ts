/** Expands a claim or composite through the real function, over gRPC, without Crossplane. */
import {
  RunFunctionRequest,
  type RunFunctionResponse,
  FunctionRunnerServiceService,
  Severity,
} from '@crossplane-org/function-sdk-typescript';
import { createHash } from 'node:crypto';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { COMPOSED_LABEL, type KubeObject, type Managed } from '../api/kind.ts';
import type { Compositions } from './compositions.ts';

const Client = makeGenericClientConstructor(FunctionRunnerServiceService, 'FunctionRunnerService');

/** Of objects in Kubernetes, in characters. */
const LONGEST_NAME = 253;

class ExpansionError extends Error {
  override readonly name = 'ExpansionError';
}

interface Runner {
  runFunction(
    request: RunFunctionRequest,
    callback: (error: ServiceError | null, response: RunFunctionResponse) => void,
  ): void;
  close(): void;
}

/** The composite of that kind that Crossplane would make of a claim; a composite, of no other kind, stays what it is. */
function compositeOf(object: KubeObject, kind: string | undefined): KubeObject {
  const namespace = object.metadata.namespace ?? 'default';
  if (kind === undefined) {
    const spec = (object['spec'] ?? {}) as Record<string, unknown>;
    return {
      ...object,
      metadata: { ...object.metadata, namespace },
      spec: { ...spec, crossplane: spec['crossplane'] ?? {} },
    };
  }
  const { name } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind,
    metadata: {
      name: `${name}-local`,
      uid: '00000000-0000-0000-0000-000000000000',
      labels: {
        [COMPOSED_LABEL.claimName]: name,
        [COMPOSED_LABEL.claimNamespace]: namespace,
        [COMPOSED_LABEL.composite]: `${name}-local`,
      },
    },
    spec: {
      ...(object['spec'] as Record<string, unknown>),
      claimRef: { apiVersion: object.apiVersion, kind: object.kind, name, namespace },
    },
  };
}

/** Calls the function at `address` once and gives the managed resources it composes, named as Crossplane would not: readably. */
export async function expand(address: string, claim: KubeObject, compositions: Compositions): Promise<Managed[]> {
  const composite = compositeOf(claim, compositions.compositeKind(claim));
  const input = compositions.inputFor(claim);
  const client = new Client(address, credentials.createInsecure()) as unknown as Runner;
  try {
    const request = RunFunctionRequest.fromPartial({
      meta: { tag: 'local', capabilities: [] },
      observed: { composite: { resource: composite as never }, resources: {} },
      ...(input === undefined ? {} : { input: input as never }),
    });
    const response = await new Promise<RunFunctionResponse>((resolve, reject) => {
      client.runFunction(request, (error, answer) => {
        if (error) reject(new ExpansionError(`the function did not answer: ${error.details || error.message}`));
        else resolve(answer);
      });
    });
    const fatal = response.results.find((result) => result.severity === Severity.SEVERITY_FATAL);
    if (fatal !== undefined) throw new ExpansionError(fatal.message);
    return Object.entries(response.desired?.resources ?? {}).map(([key, resource]) =>
      named(
        resource.resource as unknown as Managed,
        readable(claim.metadata.name, key),
        claim.metadata.namespace ?? 'default',
      ),
    );
  } finally {
    client.close();
  }
}

/** Crossplane's own names are hashes. What cannot be in a name, as the _ of an extension, becomes a dash. */
function readable(claim: string, key: string): string {
  const name = `${claim}-${key}`.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-');
  if (name === `${claim}-${key}` && name.length <= LONGEST_NAME) return name;
  // Two keys that differ in such signs only are still two.
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST_NAME - 9)}-${digest}`;
}

function named(resource: Managed, name: string, namespace: string): Managed {
  const metadata = resource.metadata ?? {};
  return {
    ...resource,
    metadata: { ...metadata, name: metadata.name || name, namespace: metadata.namespace || namespace },
  };
}
