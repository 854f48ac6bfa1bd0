/** The spec of a composite as a claim. */
import { toStructural } from '../provider/api/crd.ts';
import { checked } from './checked.ts';
import { type ClaimSpec, claimSpecV2 } from './claim.ts';

/** What Crossplane itself keeps in the spec of a composite. */
const MACHINERY = new Set([
  'crossplane',
  'claimRef',
  'compositionRef',
  'compositionSelector',
  'compositionRevisionRef',
  'compositionRevisionSelector',
  'compositionUpdatePolicy',
  'compositeDeletePolicy',
  'publishConnectionDetailsTo',
  'environmentConfigRefs',
  'resourceRef',
  'resourceRefs',
]);

/** Rules on the whole are not among it: choice and world check the same, and name the field. */
const schema = toStructural(claimSpecV2);

/** @param legacy Whether writeConnectionSecretToRef is Crossplane's own. */
export const withoutMachinery = (spec: Record<string, unknown>, legacy: boolean): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(spec).filter(([key]) => !MACHINERY.has(key) && !(legacy && key === 'writeConnectionSecretToRef')),
  );

/** @throws ClaimError with the path of the first wrong field. */
export const parseClaim = (spec: Record<string, unknown>): ClaimSpec => checked(schema, 'spec', spec) as ClaimSpec;
