/** Server programs and peers that come as Go source: built once, kept in the user's cache. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './lock.mjs';

/** Something that this machine cannot give. Tests that need it are skipped, except where CI=true. */
export class NotAvailableError extends Error {
  override readonly name = 'NotAvailableError';
  readonly reason = 'NotAvailable';
}

interface Recipe {
  /** Folder below test/rig/modules whose go.mod fixes every version. */
  module: string;
  package: string;
  /** Linker variables, given the version that go.mod names. */
  variables?: (version: string) => Record<string, string>;
}

const kubernetesVersion = (version: string): Record<string, string> => {
  const [major = '', minor = ''] = version.replace(/^v/, '').split('.');
  const prefix = 'k8s.io/component-base/version';
  return { [`${prefix}.gitVersion`]: version, [`${prefix}.gitMajor`]: major, [`${prefix}.gitMinor`]: minor };
};

const crossplaneVersion = (version: string): Record<string, string> => ({
  'github.com/crossplane/crossplane-runtime/v2/pkg/version.version': version,
});

const recipes = {
  etcd: { module: 'kubernetes', package: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': {
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    variables: kubernetesVersion,
  },
  'kube-controller-manager': {
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-controller-manager',
    variables: kubernetesVersion,
  },
  kubectl: { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', variables: kubernetesVersion },
  'crossplane-core': {
    module: 'crossplane',
    package: 'github.com/crossplane/crossplane/v2/cmd/crossplane',
    variables: (version) => ({
      ...crossplaneVersion(version),
      // The RBAC manager has no flag for it, and 8080 of this machine is not ours.
      'sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress': '0',
    }),
  },
  crossplane: {
    module: 'cli',
    package: 'github.com/crossplane/cli/v2/cmd/crossplane',
    variables: crossplaneVersion,
  },
  'provider-sql': { module: 'provider-sql', package: 'github.com/crossplane-contrib/provider-sql/cmd/provider' },
  'function-patch-and-transform': {
    module: 'function-peers',
    package: 'github.com/crossplane-contrib/function-patch-and-transform',
  },
  // Its module has another name than the repository that serves it, so go.mod replaces the one by the other.
  'function-auto-ready': { module: 'function-auto-ready', package: 'github.com/crossplane/function-auto-ready' },
  age: { module: 'age', package: 'filippo.io/age/cmd/age' },
  'age-keygen': { module: 'age', package: 'filippo.io/age/cmd/age-keygen' },
  versitygw: { module: 'versitygw', package: 'github.com/versity/versitygw/cmd/versitygw' },
} as const satisfies Record<string, Recipe>;

export type BinaryName = keyof typeof recipes;

const run = promisify(execFile);

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'xdatabase', 'bin');
}

function moduleFolder(recipe: Recipe): string {
  return join(import.meta.dirname, 'modules', recipe.module);
}

interface Source {
  modulePath: string;
  version: string;
  /** Changes with every input of the build. */
  stamp: string;
}

/** The module that a package is part of is the one in go.mod with the longest path that it begins with. */
async function sourceOf(recipe: Recipe): Promise<Source> {
  const folder = moduleFolder(recipe);
  const [goMod, goSum] = await Promise.all(['go.mod', 'go.sum'].map((file) => readFile(join(folder, file), 'utf8')));
  const required = [...(goMod ?? '').matchAll(/^\s*(?:require\s+)?([a-z0-9][^\s()]*\.[^\s()]*)\s+(v\S+)/gm)];
  const [found] = required
    .filter(([, path = '']) => recipe.package === path || recipe.package.startsWith(`${path}/`))
    .sort(([, a = ''], [, b = '']) => b.length - a.length);
  const [, modulePath = '', version = ''] = found ?? [];
  if (version === '') {
    throw new Error(`${folder}/go.mod requires no module that has ${recipe.package}`);
  }
  const hash = createHash('sha256');
  hash.update(JSON.stringify([goMod, goSum, recipe.package, recipe.variables?.(version)]));
  return { modulePath, version, stamp: `${modulePath} ${version} ${hash.digest('hex').slice(0, 16)}\n` };
}

async function isBuilt(file: string, stamp: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await readFile(`${file}.version`, 'utf8')) === stamp;
  } catch {
    return false;
  }
}

const goEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env, CGO_ENABLED: '0', GOWORK: 'off' });

async function requireGo(purpose: string): Promise<void> {
  try {
    await run('go', ['version']);
  } catch (error) {
    throw new NotAvailableError(`${purpose} needs Go (https://go.dev/dl) on the PATH`, { cause: error });
  }
}

async function build(name: BinaryName, recipe: Recipe, source: Source, file: string): Promise<void> {
  await requireGo(`building ${name} from ${source.modulePath} ${source.version}`);
  process.stderr.write(`xdatabase: building ${name} ${source.version} (once; the first of a kind takes minutes)\n`);
  const variables = Object.entries(recipe.variables?.(source.version) ?? {});
  const linker = ['-s', '-w', ...variables.map(([variable, value]) => `-X=${variable}=${value}`)].join(' ');
  const draft = `${file}.${process.pid}`;
  const args = ['build', '-buildvcs=false', `-ldflags=${linker}`, '-o', draft, recipe.package];
  try {
    const child = spawn('go', args, {
      cwd: moduleFolder(recipe),
      env: goEnvironment(),
      // Our own stdout may be read by a program.
      stdio: ['ignore', 2, 2],
    });
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status, signal) => resolve(status ?? signal));
    });
    if (code !== 0) {
      throw new Error(
        `go build of ${name} from ${source.modulePath} ${source.version} failed (${String(code)}), see above`,
      );
    }
    await rename(draft, file);
    await writeFile(`${file}.version`, source.stamp);
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * The path of a program, which is built first if it is not in the cache or its go.mod has changed since.
 *
 * @throws NotAvailableError when it has to be built and Go is not there.
 * @throws Error when the build fails.
 */
export async function binary(name: BinaryName): Promise<string> {
  const recipe = recipes[name];
  const file = join(cacheFolder(), name);
  const source = await sourceOf(recipe);
  if (await isBuilt(file, source.stamp)) {
    return file;
  }
  await mkdir(cacheFolder(), { recursive: true });
  const onWait = (): void => {
    process.stderr.write(`xdatabase: another process is building ${name}, waiting for it\n`);
  };
  return withLock(`${file}.lock`, onWait, async () => {
    if (!(await isBuilt(file, source.stamp))) {
      await build(name, recipe, source, file);
    }
    return file;
  });
}

/** A folder of the source that a program is built from. */
async function sourceFolder(name: BinaryName, ...path: string[]): Promise<string> {
  const recipe = recipes[name];
  const { modulePath } = await sourceOf(recipe);
  await requireGo(`the source of ${name}`);
  const { stdout } = await run('go', ['mod', 'download', '-json', modulePath], {
    cwd: moduleFolder(recipe),
    env: goEnvironment(),
  });
  return join((JSON.parse(stdout) as { Dir: string }).Dir, ...path);
}

/** Crossplane's own CRDs, of the version that `crossplane-core` is. */
export function crossplaneCrds(): Promise<string> {
  return sourceFolder('crossplane-core', 'cluster', 'crds');
}

/** The CRDs of provider-sql, with which we compare ourselves. */
export function providerSqlCrds(): Promise<string> {
  return sourceFolder('provider-sql', 'package', 'crds');
}
