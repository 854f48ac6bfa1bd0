/** The credentials that the claim as a whole gives: by Crossplane for a claim, in a Secret of our own for a v2 composite. */
import type { RunFunctionRequest } from '@crossplane-org/function-sdk-typescript';
import { object, observedOf } from './observed.ts';
import type { World } from './world.ts';

/** Keys of the connection Secret of a claim; the XRD names the same. */
export const CONNECTION_KEYS = ['username', 'password', 'endpoint', 'port', 'database', 'uri'] as const;

/** Key of the composed Secret. */
export const SECRET_KEY = 'connection-secret';

/** Credentials of the connection role, when the provider has written them. */
function detailsOf(request: RunFunctionRequest, world: World): Record<string, Buffer> {
  if (world.connectionLogin === undefined) return {};
  return observedOf(request, `role-login-${world.connectionLogin.name}`)?.connectionDetails ?? {};
}

/** What Crossplane writes to the Secret that a claim names. */
export function connectionDetails(request: RunFunctionRequest, world: World): Record<string, Buffer> {
  let details = detailsOf(request, world);
  // The role's Secret may be away for a moment; the application's must not go with it.
  if (Object.keys(details).length === 0) details = request.observed?.composite?.connectionDetails ?? {};
  return Object.fromEntries(
    CONNECTION_KEYS.flatMap((key) => (details[key] === undefined ? [] : [[key, details[key]] as const])),
  );
}

/** The Secret that a v2 composite names, which Crossplane does not write; undefined when none is asked for or known yet. */
export function connectionSecret(request: RunFunctionRequest, world: World): Record<string, unknown> | undefined {
  const name = world.spec.writeConnectionSecretToRef?.name;
  if (world.legacy || name === undefined) return undefined;
  const details = detailsOf(request, world);
  const known = object(observedOf(request, SECRET_KEY)?.resource['data']);
  const data =
    Object.keys(details).length === 0
      ? Object.fromEntries(Object.entries(known).filter(([, value]) => typeof value === 'string'))
      : Object.fromEntries(Object.entries(details).map(([key, value]) => [key, value.toString('base64')]));
  if (Object.keys(data).length === 0 && observedOf(request, SECRET_KEY) === undefined) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: world.namespace },
    type: 'connection.crossplane.io/v1alpha1',
    data,
  };
}

/** Whether an application that is told of readiness would look for credentials in vain. */
export const lacksCredentials = (request: RunFunctionRequest, world: World): boolean =>
  // Who may not log in need not be told how.
  world.spec.suspended === true
    ? false
    : world.legacy
      ? world.connectionLogin !== undefined && Object.keys(connectionDetails(request, world)).length === 0
      : world.spec.writeConnectionSecretToRef !== undefined && connectionSecret(request, world) === undefined;
