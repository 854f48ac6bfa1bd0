// Installs what a package-lock.json names, once, whoever else tries at the same time. Plain JavaScript without
// dependencies, as it is what installs them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { withLock } from './lock.mjs';

/** Its message is for whoever runs an npm script. */
export class InstallError extends Error {}

export const say = (text) => process.stderr.write(`xdatabase: ${text}\n`);

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
    throw new InstallError(`package-lock.json in ${root} cannot be read: restore it with git checkout.`);
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
    throw new InstallError('npm is not on the PATH: install Node 20 or newer together with npm 10 or newer.');
  }
  if (result.error) {
    throw new InstallError(`npm ci could not be started: ${result.error.message}`);
  }
  if (result.status !== 0) {
    throw new InstallError(
      `npm ci failed (${result.signal ?? `exit ${result.status}`}); its own message is above. ` +
        'Usual causes: no network, a proxy or registry that npm does not know of (npm config get registry), no space left.',
    );
  }
}

/** Does nothing when node_modules in this folder is what its lock file says. */
export async function installPackages(root) {
  if (staleBecause(root) === undefined) {
    return;
  }
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
