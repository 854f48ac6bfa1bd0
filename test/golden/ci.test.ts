/** examples/ci/check.sh on good and bad claims, with Crossplane's own command line. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type FunctionServer, startFunction } from '../../function/serve/server.ts';
import { binary } from '../rig/binaries.ts';
import { type Outcome, ROOT } from './crossplane-render.ts';

let server: FunctionServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-ci-'));
  server = await startFunction({ address: '127.0.0.1:0', insecure: true });
  const functions = await readFile(join(ROOT, 'examples/functions.yaml'), 'utf8');
  await writeFile(join(folder, 'functions.yaml'), functions.replaceAll('127.0.0.1:9443', `127.0.0.1:${server.port}`));
  for (const part of ['provider/crds', 'configuration/v1', 'configuration/v2'])
    await cp(join(ROOT, 'package', part), join(folder, 'schemas', part.split('/')[1] ?? ''), { recursive: true });
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function check(...claims: string[]): Promise<Outcome> {
  const [CROSSPLANE, CROSSPLANE_CORE] = await Promise.all([binary('crossplane'), binary('crossplane-core')]);
  const env = { ...process.env, CROSSPLANE, CROSSPLANE_CORE, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1', XDB_SERVER: '' };
  const args = [join(folder, 'schemas'), join(folder, 'functions.yaml'), ...claims];
  return await new Promise((resolve) => {
    execFile(join(ROOT, 'examples/ci/check.sh'), args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('lets claims and composites pass, and says how much they would compose', async () => {
  const { code, stdout, stderr } = await check(join(ROOT, 'examples/claim.yaml'), join(ROOT, 'examples/xr-complete.yaml'));
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout.match(/\d+ resources would be composed/g)).toHaveLength(2);
});

test.each([
  ['a field that is not there', 'connectionRole: app', 'conectionRole: app', /conectionRole/],
  ['what the function refuses', 'serverRef:\n    name: shared-postgres', 'class: gold', /"gold" is not known/],
])('stops at %s', async (_, from, to, message) => {
  const file = join(folder, 'bad.yaml');
  await writeFile(file, (await readFile(join(ROOT, 'examples/claim.yaml'), 'utf8')).replace(from, to));
  const { code, stdout, stderr } = await check(file);
  expect(stdout + stderr).toMatch(message);
  expect(code).toBe(1);
});

test('the workflow runs that very script', async () => {
  const workflow = parse(await readFile(join(ROOT, 'examples/ci/workflow.yaml'), 'utf8')) as {
    jobs: { check: { steps: { run?: string }[] } };
  };
  expect(workflow.jobs.check.steps.some(({ run }) => run?.includes('examples/ci/check.sh schemas examples/functions.yaml'))).toBe(true);
});
