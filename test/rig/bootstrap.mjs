// node test/rig/bootstrap.mjs FILE.ts [ARGS…]
//
// The first thing every npm script runs, perhaps straight after a clone and on Node 20: so it is plain JavaScript without
// dependencies. It installs what is missing, finds a Node that runs TypeScript, and hands over to FILE.ts.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

const oldestNode = 24;

class BootstrapError extends Error {}

const say = (text) => process.stderr.write(`xdatabase: ${text}\n`);

function repositoryRoot() {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'package-lock.json'))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new BootstrapError('package-lock.json is nowhere above this script: is this a whole checkout?');
    }
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** npm writes its hidden lock file last, so one that is missing also tells of an install that was cut short. */
function staleBecause(root) {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  if (!wanted) {
    throw new BootstrapError('package-lock.json cannot be read: restore it with `git checkout package-lock.json`.');
  }
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) {
    return 'nothing is installed yet';
  }
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) {
      continue;
    }
    const present = installed[path];
    if (!present && !entry.optional && !entry.devOptional && !entry.peer) {
      return `${path} is missing`;
    }
    if (present && (present.version !== entry.version || present.integrity !== entry.integrity)) {
      return `${path} is ${present.version}, not ${entry.version}`;
    }
  }
  return undefined;
}

/** `npm ci` empties node_modules first: two at one time, from two terminals, would tear each other down. */
function installLock(root) {
  return join(tmpdir(), `xdatabase-install-${createHash('sha256').update(root).digest('hex').slice(0, 12)}.lock`);
}

/** The npm that started us, else the one on PATH. npm_execpath may name another package manager, which cannot read our lock file. */
function npm() {
  const started = process.env.npm_execpath;
  if (started && basename(started) === 'npm-cli.js' && existsSync(started)) {
    return { command: process.execPath, prefix: [started] };
  }
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', prefix: [] };
}

function install(root) {
  const { command, prefix } = npm();
  // Errors only: half of the packages would warn that this Node is old, which is mended two functions below.
  const args = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--engine-strict=false',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const result = spawnSync(command, [...prefix, ...args], {
    cwd: root,
    // npm's own output is progress, and the program that follows may be asked for JSON on stdout.
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.error?.code === 'ENOENT') {
    throw new BootstrapError('npm is not on the PATH: install Node 20 or newer together with npm 10 or newer.');
  }
  if (result.error) {
    throw new BootstrapError(`npm ci could not be started: ${result.error.message}`);
  }
  if (result.status !== 0) {
    throw new BootstrapError(
      `npm ci failed (${result.signal ?? `exit ${result.status}`}); its own message is above. ` +
        'Usual causes: no network, a proxy or registry that npm does not know of (npm config get registry), no space left.',
    );
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
    throw new BootstrapError(`${script} is missing: delete node_modules and run this again.`);
  }
  say(`this is Node ${process.versions.node}; fetching Node ${oldestNode}, as its install script did not run`);
  const result = spawnSync(process.execPath, [script], { cwd: folder, stdio: ['ignore', 2, 2] });
  if (majorOf(binary) >= oldestNode) {
    return binary;
  }
  throw new BootstrapError(
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
    throw new BootstrapError('usage: node test/rig/bootstrap.mjs FILE.ts [ARGS…]');
  }
  const root = realpathSync(repositoryRoot());
  const program = resolve(root, file);
  if (!existsSync(program)) {
    throw new BootstrapError(`${file} does not exist.`);
  }
  if (staleBecause(root)) {
    const onWait = () => say('another process is installing here already, waiting for it');
    await withLock(installLock(root), onWait, () => {
      const reason = staleBecause(root);
      if (reason) {
        say(`installing packages (${reason})`);
        const started = Date.now();
        install(root);
        say(`packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
      }
    });
  }
  return run(root, modernNode(root), program, args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof BootstrapError)) {
    throw error;
  }
  say(error.message);
  process.exitCode = 1;
}
