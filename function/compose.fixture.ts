/** Requests as Crossplane makes them, and answers as it reads them. */
import { RunFunctionRequest, type RunFunctionResponse, Severity } from '@crossplane-org/function-sdk-typescript';
import { compose } from './compose.ts';

export type Json = Record<string, unknown>;

export const roles = [
  { name: 'migrate', access: 'owner' },
  { name: 'app', access: 'readWrite' },
  { name: 'report', access: 'readOnly' },
];

export const xr = (spec: Json = {}, more: Json = {}): Json => ({
  apiVersion: 'xdatabase.dev/v1alpha1',
  kind: 'XDatabase',
  metadata: { name: 'orders', namespace: 'team-a' },
  spec: { serverRef: { name: 'shared' }, roles, ...spec },
  ...more,
});

/** Over the wire and back, as Crossplane sends it. */
export const request = (parts: object): RunFunctionRequest =>
  RunFunctionRequest.decode(RunFunctionRequest.encode(RunFunctionRequest.fromPartial(parts as never)).finish());

export const call = (spec: Json = {}, more: object = {}): RunFunctionResponse =>
  compose(request({ meta: { tag: 'tag' }, observed: { composite: { resource: xr(spec) }, resources: {} }, ...more }));

export const fatal = (response: RunFunctionResponse): string | undefined =>
  response.results.find(({ severity }) => severity === Severity.SEVERITY_FATAL)?.message;

export interface Managed {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; namespace: string; annotations?: Record<string, string> };
  spec: { forProvider: Json; providerConfigRef: Json; writeConnectionSecretToRef?: Json };
}

export const resourcesOf = (response: RunFunctionResponse): Record<string, Managed> => {
  const message = fatal(response);
  if (message !== undefined) throw new Error(message);
  return Object.fromEntries(
    Object.entries(response.desired?.resources ?? {}).map(([key, { resource }]) => [
      key,
      resource as unknown as Managed,
    ]),
  );
};

/** Shows as composed what `shown` says, with that status. */
export const seen = (spec: Json, shown: Record<string, { of?: Managed; status: Json }>, more: Json = {}): object => ({
  observed: {
    composite: { resource: xr(spec, more) },
    resources: Object.fromEntries(
      Object.entries(shown).map(([key, { of, status }]) => [
        key,
        { resource: { ...of, metadata: { ...of?.metadata, name: key }, status } },
      ]),
    ),
  },
});

export const READY = { conditions: [{ type: 'Ready', status: 'True' }] };

export const forProvider = (spec: Json, key: string): Json => resourcesOf(call(spec))[key]?.spec.forProvider ?? {};

/** In words: status as the protocol's number (1 unknown, 2 true, 3 false), reason, message. */
export const conditionOf = (response: ReturnType<typeof call>, type: string): string => {
  const found = response.conditions.find((condition) => condition.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
};
