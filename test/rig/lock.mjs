// A lock between processes: a file that holds its owner's process id. Plain JavaScript, as bootstrap.mjs needs it too.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The holder died; or it was killed between making the file and writing its number into it. */
function isAbandoned(file) {
  try {
    const holder = Number(readFileSync(file, 'utf8'));
    return holder ? !isRunning(holder) : Date.now() - statSync(file).mtimeMs > 5_000;
  } catch {
    return false;
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
    return false;
  }
}

export async function withLock(file, onWait, work) {
  mkdirSync(dirname(file), { recursive: true });
  for (let waiting = false; !take(file); ) {
    if (isAbandoned(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!waiting) {
      waiting = true;
      onWait();
    }
    await new Promise((done) => setTimeout(done, 250));
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
