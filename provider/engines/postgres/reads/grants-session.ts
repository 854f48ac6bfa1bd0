/** The part of a session that these reads need. */
export interface ReadSession {
  query(text: string, params: readonly unknown[]): Promise<Record<string, unknown>[]>;
}
