/** Manifests of the predecessor (test/scenarios), as `xdb convert` makes them ours. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '../../../provider/api/kind.ts';
import { convert } from '../../../provider/cli/convert/convert.ts';
import { parseManifests } from '../../../provider/local/manifests.ts';

const FOLDER = join(import.meta.dirname, '../../scenarios');
/** Kinds whose objects do something once or again and again. */
const RUNS = ['Backup', 'BackupSchedule', 'Restore'];

export interface Addresses {
  host: string;
  port: number;
  s3Secret: string;
  /** Where the resources go, and where a server that is shared has its Secret. */
  namespace: string;
  platform: string;
  /** What tells a configuration without a namespace from that of another version of the server. */
  suffix: string;
}

export class Manifests {
  /** All that `xdb convert` gave. */
  readonly objects: readonly KubeObject[];
  readonly #file: string;

  constructor(file: string, objects: readonly KubeObject[]) {
    this.#file = file;
    this.objects = objects;
  }

  /** Of that kind and name. */
  object(kind: string, name: string): KubeObject {
    const found = this.objects.find((one) => one.kind === kind && one.metadata.name === name);
    if (found === undefined) throw new Error(`${this.#file} has no ${kind} ${name}`);
    return found;
  }

  of(...kinds: string[]): KubeObject[] {
    return this.objects.filter(({ kind }) => kinds.includes(kind));
  }

  names(kind: string): string[] {
    return this.of(kind).map(({ metadata }) => metadata.name);
  }

  /** Everything but what runs. */
  get base(): KubeObject[] {
    return this.objects.filter(({ kind }) => !RUNS.includes(kind));
  }

  get config(): KubeObject & { spec: Record<string, unknown> } {
    const [config] = this.of('ProviderConfig', 'ClusterProviderConfig');
    return config as KubeObject & { spec: Record<string, unknown> };
  }
}

/** @param file In test/scenarios. */
export async function manifests(file: string, to: Addresses): Promise<Manifests> {
  const replaced: readonly [RegExp, string][] = [
    [/namespace: scenario$/gm, `namespace: ${to.namespace}`],
    [/namespace: default$/gm, `namespace: ${to.platform}`],
    [/address: cockroachdb-public\S+/g, `address: ${to.host}`],
    [/port: 26257/g, `port: ${to.port}`],
    [/priviliges-global$/gm, `priviliges-global-${to.suffix}`],
    [/MYSECRET/g, to.s3Secret],
  ];
  const text = replaced.reduce(
    (all, [from, into]) => all.replaceAll(from, () => into),
    await readFile(join(FOLDER, file), 'utf8'),
  );
  const { objects, notes } = convert(parseManifests(text, file), { adopt: false, namespace: to.namespace });
  const lost = notes.filter(({ isLost }) => isLost);
  if (lost.length > 0) throw new Error(`${file}: ${JSON.stringify(lost)}`);
  return new Manifests(file, objects);
}
