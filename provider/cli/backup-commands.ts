/** xdb backup, restore and copy: the runner of the cluster, with the tools of this machine. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  BACKUP_ENGINES,
  type BackupEngine,
  type Place,
  type RunRequestInput,
  type RunResult,
  runRequest,
} from '../backup/contract.ts';
import { RunError } from '../backup/errors.ts';
import { tools } from '../backup/tools/tools.ts';
import type { ConnectionSettings } from '../engines/engine.ts';
import { parseServerUrl } from '../local/server-url.ts';
import { startTool, type ToolProcess, toolServer } from '../local/tool-process.ts';
import { run } from '../runner/run.ts';
import type { Output } from './output.ts';
import { progressLine } from './progress-line.ts';

interface CommonOptions {
  tools?: string;
  json?: boolean;
}

export interface BackupOptions extends CommonOptions {
  server: string;
  to: Place;
  namespace: string;
  name: string;
  fileName?: string;
  compression: 'zstd' | 'gzip' | 'none';
  level?: number;
  recipient?: string[];
  keepLast?: number;
}

export interface RestoreOptions extends CommonOptions {
  server: string;
  from: Place;
  key?: string;
  database?: string;
  before?: string;
  namespace?: string;
  name?: string;
  identity?: string;
  owner?: string;
}

export interface CopyOptions extends CommonOptions {
  from: string;
  to: string;
  owner?: string;
  transform?: string;
}

/** Of the server it is not needed: the tools that are there are those that are used. */
const UNKNOWN_VERSION = 'unknown';

function connection(url: string): ConnectionSettings & { engine: BackupEngine } {
  const settings = parseServerUrl(url, process.env);
  const { engine } = settings;
  const known: BackupEngine | undefined = BACKUP_ENGINES.find((name) => name === engine);
  if (known === undefined)
    throw new Error(`${engine} has backups of its own (BACKUP, RESTORE); xdb does not make them locally`);
  return { ...settings, engine: known };
}

/** Runs a request with its tools, showing how far it is; Ctrl-C ends it in order. */
async function perform(
  started: readonly Promise<ToolProcess>[],
  request: (folders: string[]) => RunRequestInput,
  output: Output,
): Promise<RunResult> {
  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort(new RunError('Interrupted', 'interrupted'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const processes = await Promise.all(started);
  for (const { vanished } of processes) void vanished.then((why) => interrupted.abort(why));
  const line = progressLine();
  try {
    return await run(runRequest.parse(request(processes.map(({ folder }) => folder))), {
      signal: interrupted.signal,
      onProgress: (progress) => {
        const text = line(progress, Date.now());
        if (text !== undefined) output.progress(text);
      },
    });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await Promise.all(processes.map((tool) => tool.stop()));
  }
}

function say(result: RunResult, lines: readonly string[], options: CommonOptions, output: Output): number {
  if (options.json === true) output.json(result);
  else if (result.ok) {
    for (const text of lines) output.line(text);
    for (const name of result.skipped ?? []) output.line(`Left out, as only an administrator can make it: ${name}`);
    if (result.warning !== undefined) output.line(`Warning: ${result.warning}`);
  }
  if (!result.ok) throw new Error(`${result.failureReason ?? 'Unexpected'}: ${result.failureMessage ?? ''}`);
  return 0;
}

const MB = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export async function backup(options: BackupOptions, output: Output): Promise<number> {
  const settings = connection(options.server);
  const { engine, database } = settings;
  const result = await perform(
    [startTool((folders) => tools[engine].dump(toolServer(settings, UNKNOWN_VERSION), folders), options.tools)],
    ([folder = '']) => ({
      action: 'backup',
      storage: options.to,
      owner: { namespace: options.namespace, name: options.name, database, engine },
      run: randomUUID(),
      serverVersion: UNKNOWN_VERSION,
      countRows: true,
      compression: options.compression,
      recipients: options.recipient ?? [],
      tool: { folder },
      ...(options.level === undefined ? {} : { compressionLevel: options.level }),
      ...(options.fileName === undefined ? {} : { fileName: options.fileName }),
      ...(options.keepLast === undefined ? {} : { retention: { keepLast: options.keepLast } }),
    }),
    output,
  );
  const { backup: made } = result;
  return say(
    result,
    made === undefined
      ? []
      : [
          `Backed up ${database}: ${made.rows ?? 0} rows, ${MB(made.size)}, stored as ${MB(made.storedSize)}`,
          `Key:     ${made.key}`,
          `SHA-256: ${made.sha256}`,
        ],
    options,
    output,
  );
}

export async function restore(options: RestoreOptions, output: Output): Promise<number> {
  const settings = connection(options.server);
  const { engine } = settings;
  const result = await perform(
    [
      startTool(
        (folders) =>
          tools[engine].load(toolServer(settings, UNKNOWN_VERSION), folders, {
            countRows: true,
            requireEmpty: true,
            ...(options.owner === undefined ? {} : { ownerRole: options.owner }),
          }),
        options.tools,
      ),
    ],
    ([folder = '']) => ({
      action: 'restore',
      storage: options.from,
      source: {
        database: options.database ?? settings.database,
        engine,
        ...(options.key === undefined ? {} : { key: options.key }),
        ...(options.before === undefined ? {} : { before: options.before }),
        ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
        ...(options.name === undefined ? {} : { name: options.name }),
      },
      tool: { folder },
      ...(options.identity === undefined ? {} : { identityFile: resolve(options.identity) }),
    }),
    output,
  );
  return say(
    result,
    [`Restored ${result.backup?.key ?? ''} into ${settings.database}: ${result.countedRows ?? 0} rows`],
    options,
    output,
  );
}

export async function copy(options: CopyOptions, output: Output): Promise<number> {
  const from = connection(options.from);
  const to = connection(options.to);
  if (from.engine !== to.engine)
    throw new Error(`${from.engine} cannot be copied into ${to.engine}: they are different engines`);
  const transformSQL = options.transform === undefined ? undefined : readFileSync(options.transform, 'utf8');
  const result = await perform(
    [
      startTool((folders) => tools[from.engine].dump(toolServer(from, UNKNOWN_VERSION), folders), options.tools),
      startTool(
        (folders) =>
          tools[to.engine].load(toolServer(to, UNKNOWN_VERSION), folders, {
            countRows: true,
            requireEmpty: true,
            ...(options.owner === undefined ? {} : { ownerRole: options.owner }),
            ...(transformSQL === undefined ? {} : { transformSQL }),
          }),
        options.tools,
      ),
    ],
    ([source = '', target = '']) => ({
      action: 'copy',
      engine: from.engine,
      countRows: true,
      from: { folder: source },
      to: { folder: target },
    }),
    output,
  );
  return say(
    result,
    [`Copied ${from.database} into ${to.database}: ${result.countedRows ?? 0} rows, ${MB(result.loaded?.size ?? 0)}`],
    options,
    output,
  );
}
