/** Held by configurations that have users; Crossplane's own name. */
export const IN_USE_FINALIZER = 'in-use.crossplane.io';
/** Held by Secrets of such configurations. The API server wants a path in the finalizers of its own kinds. */
export const SECRET_FINALIZER = 'm.xdatabase.dev/in-use';
