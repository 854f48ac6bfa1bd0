/** Held by configurations that have users, and by the Secrets of such configurations. */
export const IN_USE_FINALIZER = 'in-use.crossplane.io';
