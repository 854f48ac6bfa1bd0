/** One writer of a state file at a time: two would each write what it knows, and lose what the other made. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export class StateError extends Error {
  override readonly name = 'StateError';
}

/**
 * Takes `file`.lock, which says which process has it; one whose process is gone is taken over.
 * @returns what gives it back; the end of this process does so too
 * @throws StateError when another process has it, or when the folder cannot be written: before anything is changed anywhere
 */
export function lockState(file: string): () => void {
  const lock = `${file}.lock`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (!take(lock)) {
      const holder = holderOf(lock);
      if (holder !== undefined && isAlive(holder))
        throw new StateError(`another xdb (process ${holder}) is at work with state file ${file}; wait for it to end`);
      rmSync(lock, { force: true });
      if (!take(lock)) throw new StateError(`another xdb has just begun with state file ${file}; wait for it to end`);
    }
  } catch (error) {
    if (error instanceof StateError) throw error;
    throw new StateError(`state file ${file} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
  const release = (): void => {
    process.off('exit', release);
    rmSync(lock, { force: true });
  };
  process.once('exit', release);
  return release;
}

function take(lock: string): boolean {
  try {
    const descriptor = openSync(lock, 'wx', 0o600);
    writeSync(descriptor, String(process.pid));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined for a lock without a process in it: whoever made it was killed in that moment. */
function holderOf(lock: string): number | undefined {
  const process = Number(readFileSync(lock, 'utf8'));
  return Number.isInteger(process) && process > 0 ? process : undefined;
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
