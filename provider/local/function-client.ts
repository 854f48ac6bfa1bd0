/** Expands a claim or composite through the real function, over gRPC, without Crossplane. */
import {
  RunFunctionRequest,
  type RunFunctionResponse,
  FunctionRunnerServiceService,
  Severity,
} from '@crossplane-org/function-sdk-typescript';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import type { KubeObject, Managed } from '../api/kind.ts';

const Client = makeGenericClientConstructor(FunctionRunnerServiceService, 'FunctionRunnerService');

export class ExpansionError extends Error {
  override readonly name = 'ExpansionError';
}

interface Runner {
  runFunction(
    request: RunFunctionRequest,
    callback: (error: ServiceError | null, response: RunFunctionResponse) => void,
  ): void;
  close(): void;
}

/** The composite that Crossplane would make of a claim; a composite stays what it is. */
export function compositeOf(object: KubeObject): KubeObject {
  const namespace = object.metadata.namespace ?? 'default';
  if (object.kind !== 'XDatabase') return object;
  if (!object.apiVersion.startsWith('claim.')) {
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
    kind: 'CompositeXDatabase',
    metadata: {
      name: `${name}-local`,
      uid: '00000000-0000-0000-0000-000000000000',
      labels: {
        'crossplane.io/claim-name': name,
        'crossplane.io/claim-namespace': namespace,
        'crossplane.io/composite': `${name}-local`,
      },
    },
    spec: {
      ...(object['spec'] as Record<string, unknown>),
      claimRef: { apiVersion: object.apiVersion, kind: object.kind, name, namespace },
    },
  };
}

/** Calls the function at `address` once and gives the managed resources it composes, named as Crossplane would not: readably. */
export async function expand(address: string, claim: KubeObject, input?: Record<string, unknown>): Promise<Managed[]> {
  const composite = compositeOf(claim);
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
        `${claim.metadata.name}-${key}`,
        claim.metadata.namespace ?? 'default',
      ),
    );
  } finally {
    client.close();
  }
}

function named(resource: Managed, name: string, namespace: string): Managed {
  const metadata = resource.metadata ?? {};
  return {
    ...resource,
    metadata: { ...metadata, name: metadata.name || name, namespace: metadata.namespace || namespace },
  };
}
