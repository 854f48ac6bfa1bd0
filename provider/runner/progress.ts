/** How far a run is. */
export interface Progress {
  phase: 'waiting' | 'dumping' | 'checking' | 'loading' | 'copying' | 'finishing' | 'pruning';
  /** Bytes of the dump so far; while checking and loading, of the stored file. */
  bytes: number;
  /** Where it is known. */
  total?: number;
}

export interface RunContext {
  /** Its reason is what the run fails with. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}
