/**
 * Runs `work` while no other process on this machine holds the lock `file`. `onWait` is called once if another does.
 * The lock of a process that died is taken over.
 */
export function withLock<T>(file: string, onWait: () => void, work: () => T | Promise<T>): Promise<T>;
