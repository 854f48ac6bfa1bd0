/** `xdb import`: manifests for what exists on a server. */
import { stringify } from 'yaml';
import { lockState } from '../local/lock.ts';
import { parseServerUrl } from '../local/server-url.ts';
import { LocalStore } from '../local/store.ts';
import { Workspace } from '../local/workspace.ts';
import { EXIT } from './commands.ts';
import type { Output } from './output.ts';

export interface ImportCommandOptions {
  server: string;
  state: string;
  namespace: string;
  /** `Kind/name` or a name of a ClusterProviderConfig. */
  providerConfig: string;
  json?: boolean;
}

export async function importCommand(options: ImportCommandOptions, output: Output, notes: Output): Promise<number> {
  const release = lockState(options.state);
  try {
    return await importLocked(options, output, notes);
  } finally {
    release();
  }
}

async function importLocked(options: ImportCommandOptions, output: Output, notes: Output): Promise<number> {
  const store = new LocalStore(options.state);
  const workspace = new Workspace(parseServerUrl(options.server, process.env), store);
  try {
    const { manifests, notes: left } = await workspace.import({
      namespace: options.namespace,
      providerConfig: configOf(options.providerConfig),
    });
    for (const note of left) notes.line(`xdb: ${note}`);
    if (options.json) output.json(manifests);
    else
      output.line(
        manifests
          .map((manifest) => stringify(manifest, { lineWidth: 0 }))
          .join('---\n')
          .trimEnd(),
      );
    return EXIT.done;
  } finally {
    await workspace.close();
  }
}

function configOf(text: string): { kind: string; name: string } {
  const [kind = '', name] = text.split('/', 2);
  return name === undefined ? { kind: 'ClusterProviderConfig', name: kind } : { kind, name };
}
