/**
 * Flags of Node for the processes that run for long. V8 would rather let its heap grow than collect: at a thousand resources
 * these halve the memory of the provider. They are in the Dockerfile too, which cannot read this.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2', '--optimize-for-size'];
