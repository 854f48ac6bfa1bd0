/**
 * Flags of Node for the processes that run for long. V8 would rather let its heap grow than collect: at a thousand resources
 * these halve the memory of the provider. They are in the Dockerfile too, which cannot read this.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2', '--optimize-for-size'];

/**
 * Of those that do one thing and end. A compiler thread that is short of memory waits for the main thread to collect, and a
 * main thread that ends the process waits for that thread: now and then one stayed for ever when all was done, and its pod
 * with it. So the main thread compiles.
 */
export const RUN_FLAGS: readonly string[] = [
  ...NODE_FLAGS,
  '--no-concurrent-recompilation',
  '--no-concurrent-sparkplug',
];
