/** References from a configuration to Secrets and ConfigMaps. */
import { z } from 'zod';
import { objectName } from './text.ts';

/**
 * Whose Secrets an object may name. A namespaced object names those of its own namespace only: the provider can read
 * every namespace, and would otherwise read a Secret for somebody who may not.
 */
export type SecretScope = 'own namespace' | 'any namespace';

interface SecretName {
  name: z.ZodString;
  /** Present (and then required) only in a cluster-scoped object. */
  namespace: z.ZodOptional<z.ZodString>;
}

/** The fields that find a Secret. */
export const secretName = (scope: SecretScope): SecretName => {
  const fields =
    scope === 'any namespace'
      ? { name: objectName('Name of the Secret.'), namespace: objectName('Namespace of the Secret.') }
      : { name: objectName('Name of the Secret, in the namespace of this object.') };
  // One type for both scopes, so that code that reads a configuration need not ask which kind it has.
  return fields as unknown as SecretName;
};

/** The name of a key in a Secret. */
export const secretKey = (preset: string, what: string) => z.string().min(1).max(253).default(preset).describe(what);

/** One key of one Secret. */
export const secretKeyOf = (scope: SecretScope, preset: string, what: string) =>
  z.object({ ...secretName(scope), key: secretKey(preset, 'Key in the Secret.') }).describe(what);
