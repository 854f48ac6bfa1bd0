/** `npm run build`: one file for each process in dist/, with everything it needs, so that an image holds no node_modules. */
import { statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');

/** What must not get into a bundle, by the bundle's name. */
const FORBIDDEN: Record<string, readonly string[]> = {
  // The function reads nothing but its request. Code that could talk to a cluster or a database has no place in it.
  function: ['node_modules/@kubernetes/client-node/', 'node_modules/pg/', 'node_modules/mysql2/', 'provider/runtime/'],
  // It starts in every pod of a job, and talks to storages only.
  runner: ['node_modules/@kubernetes/client-node/', 'node_modules/pg/', 'node_modules/mysql2/', 'provider/runtime/'],
};

/** Every process by the name of its bundle. One that is listed and not there is an error of the build. */
export const ENTRIES: Record<string, string> = {
  function: 'function/main.ts',
  provider: 'provider/main.ts',
  runner: 'provider/runner/main.ts',
  xdb: 'provider/cli/main.ts',
};

/** Packages of which we use a corner, and whose modules do nothing but define: the rest of them is left out. */
const DEFINING = /[/\\]node_modules[/\\]@kubernetes[/\\]client-node[/\\]/;
const DEFINING_NAME = /^@kubernetes\/client-node$/;

/** client-node has a class for each kind of the API: a megabyte of text, and fifteen of memory, that nobody asks for. */
const onlyWhatIsUsed: Plugin = {
  name: 'only-what-is-used',
  setup: (bundling) => {
    bundling.onResolve({ filter: DEFINING_NAME }, async ({ path, pluginData, kind, ...where }) => {
      if (pluginData === onlyWhatIsUsed.name) return undefined;
      const found = await bundling.resolve(path, { ...where, kind, pluginData: onlyWhatIsUsed.name });
      return found.errors.length > 0 ? undefined : { path: found.path, sideEffects: false };
    });
    // Its modules name each other in full. To have esbuild look for a thousand of them again takes most of the build's time.
    bundling.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, importer, resolveDir }) =>
      DEFINING.test(importer) ? { path: join(resolveDir, path), sideEffects: false } : undefined,
    );
  },
};

/** What the bundles are written for. */
const OLDEST_NODE = 24;
/** On which they still say so, as it is what npm scripts need to begin. */
const OLDEST_READER = 'node20';
const BUILT_IN: ReadonlySet<string> = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

/**
 * What is built in is asked for when a bundle runs. A static import of what an older Node has not got would end it with a
 * SyntaxError, before a line of it could say what it needs.
 */
const builtInsWhenRun: Plugin = {
  name: 'built-ins-when-run',
  setup: (bundling) => {
    // Each import that a filter lets through is a question to this process.
    bundling.onResolve({ filter: /^(node:)?[\w/]+$/ }, ({ path, kind }) =>
      kind === 'import-statement' && BUILT_IN.has(path) ? { path, namespace: builtInsWhenRun.name } : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace: builtInsWhenRun.name }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** The first lines of a bundle. Packages in CommonJS call require for what Node has built in. */
const firstLines = (name: string): string => `
import { createRequire as bundleRequire } from 'node:module';
if (Number(process.versions.node.split('.')[0]) < ${OLDEST_NODE}) {
  process.stderr.write(\`${name} needs Node ${OLDEST_NODE} or newer; this is Node \${process.versions.node}.\\n\`);
  process.exit(1);
}
const require = bundleRequire(import.meta.url);`;

function refuseForbidden(name: string, metafile: Metafile): void {
  for (const forbidden of FORBIDDEN[name] ?? []) {
    const found = Object.keys(metafile.inputs).find((input) => input.includes(forbidden));
    if (found !== undefined) throw new Error(`dist/${name}.js must not hold ${forbidden}: ${found} is in it`);
  }
}

/**
 * Builds one bundle and gives its path.
 * @throws Error when it does not compile or holds what it must not.
 */
export async function bundle(name: string, entry: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.js`);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: OLDEST_READER,
    sourcemap: true,
    metafile: true,
    plugins: [onlyWhatIsUsed, builtInsWhenRun],
    logLevel: 'warning',
    legalComments: 'linked',
    // Native or never used parts that packages look for and do without.
    external: ['pg-native'],
    banner: { js: firstLines(name).trimStart() },
  });
  refuseForbidden(name, metafile);
  return outfile;
}

async function main(): Promise<void> {
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const file = await bundle(name, entry, join(ROOT, 'dist'));
    const megabytes = statSync(file).size / 1e6;
    process.stdout.write(`dist/${name}.js ${megabytes.toFixed(2)} MB\n`);
  }
}

if (import.meta.main) await main();
