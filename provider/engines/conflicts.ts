/** Sessions that change one catalog row, or wait for each other, are told so by the server, which has done nothing. */

/** In all, the first one included. */
const ATTEMPTS = 6;
/** Times the number of the attempt, and up to twice that, so that two sessions do not meet again. */
const WAIT_MS = 20;

/** Runs the work again while it fails with a conflict. @throws what it failed with, at last or otherwise */
export async function retryingConflicts<T>(
  isConflict: (error: unknown) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * WAIT_MS * (1 + Math.random())));
    }
}
