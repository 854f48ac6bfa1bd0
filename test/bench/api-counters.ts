/** What the Kubernetes API was asked to write, from the API server's own metrics. */
import type { Kubectl } from '../rig/kubectl.ts';

/** Requests that change something, by verb and resource, e.g. `PATCH roles/status`. */
export type ApiWrites = ReadonlyMap<string, number>;

const WRITING = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE']);
/** The control plane's own, which go on by themselves. */
const NOT_OURS = new Set(['leases', 'tokenreviews', 'subjectaccessreviews', 'selfsubjectaccessreviews']);

export async function apiWrites(cluster: Kubectl): Promise<ApiWrites> {
  const text = await cluster.kubectl(['get', '--raw', '/metrics']);
  const writes = new Map<string, number>();
  for (const [, labels = '', value] of text.matchAll(/^apiserver_request_total\{([^}]*)\} (\S+)$/gm)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const [verb, resource, subresource, code] = ['verb', 'resource', 'subresource', 'code'].map(label);
    if (!WRITING.has(verb ?? '') || NOT_OURS.has(resource ?? '')) continue;
    const failed = Number(code) >= 400 ? ` (${code})` : '';
    const name = `${verb} ${resource}${subresource ? `/${subresource}` : ''}${failed}`;
    writes.set(name, (writes.get(name) ?? 0) + Number(value));
  }
  return writes;
}

/** What was written between two readings, the most frequent first. */
export function writesBetween(before: ApiWrites, after: ApiWrites): [name: string, count: number][] {
  return [...after]
    .map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
}

export const sumOf = (writes: readonly [string, number][]): number => writes.reduce((sum, [, count]) => sum + count, 0);
