/**
 * The commands of xdb. Each returns its exit code: 0 done or nothing to do, 1 failed, 2 a plan that would change
 * something (and, from the argument parser, wrong usage).
 */
import type { KubeObject, Managed } from '../api/kind.ts';
import { lockState } from '../local/lock.ts';
import { readManifests } from '../local/manifests.ts';
import { parseServerUrl } from '../local/server-url.ts';
import { LocalStore } from '../local/store.ts';
import { type ResourcePlan, Workspace } from '../local/workspace.ts';
import { externalNameOf } from '../runtime/managed/annotations.ts';
import { type LocalFunction, startLocalFunction } from './local-function.ts';
import { type Output, planLines, resultRows, table, titleOf } from './output.ts';

export interface CommandOptions {
  filename: string[];
  server: string;
  state: string;
  json?: boolean;
}

const nameOf = ({ kind, metadata }: Managed) => ({ kind, name: metadata.name });

const leftOutLines = (workspace: Workspace): string[] =>
  workspace.leftOut.map(
    ({ kind, metadata }) => `${kind} ${metadata.name} is made in a cluster only; see xdb backup, restore and copy`,
  );

export const EXIT = { done: 0, failed: 1, wouldChange: 2, usage: 2 } as const;

async function withWorkspace<T>(
  options: CommandOptions,
  store: LocalStore,
  work: (workspace: Workspace, objects: KubeObject[], fn: LocalFunction) => Promise<T>,
): Promise<T> {
  const objects = readManifests(options.filename);
  const workspace = new Workspace(parseServerUrl(options.server, process.env), store);
  const fn = await startLocalFunction();
  try {
    return await work(workspace, objects, fn);
  } finally {
    await Promise.allSettled([workspace.close(), fn.stop()]);
  }
}

export async function plan(options: CommandOptions, output: Output): Promise<number> {
  // A copy of the state: a plan leaves no trace, not even a generated password.
  const store = new LocalStore(undefined, new LocalStore(options.state));
  return await withWorkspace(options, store, async (workspace, objects, fn) => {
    const plans = await workspace.plan(await workspace.load(objects, fn.address));
    const problems = plans.filter((p) => p.problem !== undefined);
    const changes = plans.flatMap((p) => p.statements).length;
    if (options.json)
      output.json({
        changes,
        resources: plans.map((p) => ({
          kind: p.resource.kind,
          name: p.resource.metadata.name,
          statements: p.statements,
          unchangeable: p.unchangeable,
          ...(p.problem === undefined ? {} : { problem: p.problem }),
        })),
        leftOut: workspace.leftOut.map(nameOf),
      });
    else {
      for (const line of planLines(plans)) output.line(line);
      output.line(`-- ${changes === 0 ? 'Nothing to change' : `${changes} statements`}; ${plans.length} resources`);
      for (const line of leftOutLines(workspace)) output.line(`-- ${line}`);
      for (const forgotten of store.forgotten())
        output.line(`-- ${forgotten} is in the state but in no file: it stays as it is`);
    }
    if (problems.length > 0) return EXIT.failed;
    return changes > 0 ? EXIT.wouldChange : EXIT.done;
  });
}

export async function apply(options: CommandOptions, output: Output): Promise<number> {
  const release = lockState(options.state);
  try {
    return await applyLocked(options, output);
  } finally {
    release();
  }
}

async function applyLocked(options: CommandOptions, output: Output): Promise<number> {
  return await withWorkspace(options, new LocalStore(options.state), async (workspace, objects, fn) => {
    const resources = await workspace.load(objects, fn.address);
    const results = await workspace.apply(resources, (done, total) => {
      output.progress(`${done} of ${total} resources are ready`);
    });
    if (options.json)
      output.json({
        resources: results.map((r) => ({
          kind: r.resource.kind,
          name: r.resource.metadata.name,
          ready: r.ready,
          synced: r.synced,
          message: r.message,
        })),
        leftOut: workspace.leftOut.map(nameOf),
      });
    else {
      for (const line of table(resultRows(results))) output.line(line);
      const failed = results.filter((r) => !(r.ready && r.synced));
      for (const result of failed) output.line(`${titleOf(result)}: ${result.message}`);
      for (const line of leftOutLines(workspace)) output.line(line);
    }
    return results.every((r) => r.ready && r.synced) ? EXIT.done : EXIT.failed;
  });
}

/** Says of each resource whether the server is as it declares, without the SQL that would mend it. */
export async function verify(options: CommandOptions, output: Output): Promise<number> {
  const store = new LocalStore(undefined, new LocalStore(options.state));
  return await withWorkspace(options, store, async (workspace, objects, fn) => {
    const findings = (await workspace.plan(await workspace.load(objects, fn.address))).map(findingOf);
    if (options.json) output.json({ resources: findings, leftOut: workspace.leftOut.map(nameOf) });
    else
      for (const line of table([
        ['KIND', 'NAME', 'EXTERNAL-NAME', 'RESULT', 'MESSAGE'],
        ...findings.map(({ kind, name, externalName, result, message }) => [kind, name, externalName, result, message]),
      ]))
        output.line(line);
    if (findings.some(({ result }) => result === 'Unknown')) return EXIT.failed;
    return findings.every(({ result }) => result === 'AsDeclared') ? EXIT.done : EXIT.wouldChange;
  });
}

interface Finding {
  kind: string;
  name: string;
  externalName: string;
  /** Differs: it is there, but otherwise than declared. Unknown: it could not be compared. */
  result: 'AsDeclared' | 'Missing' | 'Differs' | 'Unknown';
  message: string;
}

function findingOf({ resource, statements, unchangeable, exists, problem }: ResourcePlan): Finding {
  const { kind, metadata } = resource;
  const about = { kind, name: metadata.name, externalName: externalNameOf(resource) };
  if (problem !== undefined) return { ...about, result: 'Unknown', message: problem };
  const count = statements.length;
  const changes = count === 0 ? [] : [`${count} statement${count === 1 ? '' : 's'} would mend it (xdb plan)`];
  const message = [...unchangeable, ...changes].join('; ');
  if (message === '') return { ...about, result: 'AsDeclared', message };
  return { ...about, result: exists === false ? 'Missing' : 'Differs', message };
}
