/** Examples, and changes of them that make bad manifests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../../provider/api/kind.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/kinds');

export const example = (file: string): KubeObject =>
  parse(readFileSync(join(EXAMPLES, `${file}.yaml`), 'utf8')) as KubeObject;

/** Values by path; undefined takes the field away. */
type Change = Record<string, unknown>;

/** A manifest that must be refused, by an API server and by the command line alike. */
export interface BadManifest {
  what: string;
  /** Example that is changed. */
  file: string;
  change: Change;
  /** A second change, of the object that the first one made: this is the one to be refused. */
  update?: Change;
  /** What both say. */
  says: RegExp[];
  /** What only the command line says, where the words of the API server are its own. */
  parse?: RegExp;
}

/** A copy with every value set at its path (`a.b.0.c`). */
export function changed(object: KubeObject, change: Change): KubeObject {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(change)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let holder = copy as unknown as Record<string, unknown>;
    for (const step of steps) holder = (holder[step] ??= {}) as Record<string, unknown>;
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return copy;
}

/** Where most fields are. */
export const f = 'spec.forProvider';
