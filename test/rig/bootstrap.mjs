// node test/rig/bootstrap.mjs FILE.ts [ARGS…]
//
// The first thing every npm script runs, perhaps straight after a clone and on Node 20: so it is plain JavaScript without
// dependencies. It installs what is missing, finds a Node that runs TypeScript, and hands over to FILE.ts.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InstallError, installPackages, say } from './install.mjs';

const oldestNode = 24;

function repositoryRoot() {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'package-lock.json'))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new InstallError('package-lock.json is nowhere above this script: is this a whole checkout?');
    }
  }
}

function majorOf(node) {
  if (node === process.execPath) {
    return Number(process.versions.node.split('.')[0]);
  }
  const result = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  return result.status === 0 ? Number(result.stdout.split('.')[0]) : 0;
}

/** The `node` package gets its binary from an install script, which npm 12 and ignore-scripts=true hold back: then we run it. */
function modernNode(root) {
  if (majorOf(process.execPath) >= oldestNode) {
    return process.execPath;
  }
  const folder = join(root, 'node_modules', 'node');
  const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (majorOf(binary) >= oldestNode) {
    return binary;
  }
  const script = join(folder, 'installArchSpecificPackage.js');
  if (!existsSync(script)) {
    throw new InstallError(`${script} is missing: delete node_modules and run this again.`);
  }
  say(`this is Node ${process.versions.node}; fetching Node ${oldestNode}, as its install script did not run`);
  const result = spawnSync(process.execPath, [script], { cwd: folder, stdio: ['ignore', 2, 2] });
  if (majorOf(binary) >= oldestNode) {
    return binary;
  }
  throw new InstallError(
    `Node ${oldestNode} could not be fetched (${result.signal ?? `exit ${result.status}`}); npm's message is above. ` +
      `Any Node ${oldestNode} or newer that comes first on the PATH will do as well.`,
  );
}

function run(root, node, file, args) {
  const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter);
  const child = spawn(node, [file, ...args], { stdio: 'inherit', env: { ...process.env, PATH: path } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group: the child has it already, and a second one would mean "at once".
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) {
        child.kill(signal);
      }
    });
  }
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function main() {
  const [file, ...args] = process.argv.slice(2);
  if (!file) {
    throw new InstallError('usage: node test/rig/bootstrap.mjs FILE.ts [ARGS…]');
  }
  const root = realpathSync(repositoryRoot());
  const program = resolve(root, file);
  if (!existsSync(program)) {
    throw new InstallError(`${file} does not exist.`);
  }
  await installPackages(root);
  return run(root, modernNode(root), program, args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof InstallError)) {
    throw error;
  }
  say(error.message);
  process.exitCode = 1;
}
