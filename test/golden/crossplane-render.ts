/** Crossplane's own command line, without a cluster: render runs the real pipeline of core over the function's port. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { startFunction } from '../../function/serve/server.ts';
import { binary } from '../rig/binaries.ts';

export const ROOT = join(import.meta.dirname, '../..');

export type Json = Record<string, unknown>;
export interface Rendered extends Json {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; annotations?: Record<string, string>; [key: string]: unknown };
  spec: Json;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export const manifest = async <T = Rendered>(path: string): Promise<T> =>
  parse(await readFile(join(ROOT, path), 'utf8')) as T;

export const documents = (text: string): Rendered[] => parseAllDocuments(text).map((one) => one.toJS() as Rendered);

export async function run(program: string, args: readonly string[]): Promise<Outcome> {
  return await new Promise((resolve) => {
    // Functions are on this machine, whatever proxy it uses for the rest of the world.
    const env = { ...process.env, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' };
    execFile(program, [...args], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

/** The composite that Crossplane makes of a claim. */
export function compositeOf(claim: Rendered, kind = 'CompositeXDatabase'): Rendered {
  const { name, namespace } = claim.metadata;
  const { writeConnectionSecretToRef: _, ...spec } = claim.spec;
  const composite = `${name}-x7k2p`;
  return {
    apiVersion: claim.apiVersion,
    kind,
    metadata: {
      name: composite,
      uid: '7c7d4a3c-0000-4000-8000-000000000001',
      labels: {
        'crossplane.io/claim-name': name,
        'crossplane.io/claim-namespace': namespace,
        'crossplane.io/composite': composite,
      },
    },
    spec: {
      ...spec,
      claimRef: { apiVersion: claim.apiVersion, kind: claim.kind, name, namespace },
      writeConnectionSecretToRef: { name: '7c7d4a3c', namespace: 'crossplane-system' },
    },
  };
}

/** The files that say what a composite is and what becomes of it. */
export interface Package {
  definition: string;
  composition: string;
}

export const OURS: Record<'v1' | 'v2', Package> = {
  v1: { definition: 'package/configuration/v1/definition.yaml', composition: 'package/configuration/v1/composition.yaml' },
  v2: { definition: 'package/configuration/v2/definition.yaml', composition: 'package/configuration/v2/composition.yaml' },
};

export interface Renderer {
  render(xr: Rendered, of: Package, more?: { observed?: readonly Json[]; required?: readonly Json[] }): Promise<Outcome>;
  /** @param definitions Definitions beside ours that the text needs. */
  validate(text: string, definitions?: readonly string[]): Promise<Outcome>;
  stop(): Promise<void>;
}

/** @param others Functions beside ours, by name, with the addresses that they listen on. */
export async function startRenderer(others: Readonly<Record<string, string>> = {}): Promise<Renderer> {
  const [cli, core] = await Promise.all([binary('crossplane'), binary('crossplane-core')]);
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-golden-'));
  const server = await startFunction({ address: '127.0.0.1:0', insecure: true });
  const ours = await manifest<{ metadata: { name: string; annotations: Json } }>('examples/functions.yaml');
  const functionAt = (name: string, address: string): object => ({
    ...ours,
    metadata: {
      name,
      annotations: { ...ours.metadata.annotations, 'render.crossplane.io/runtime-development-target': address },
    },
  });
  let files = 0;
  const write = async (...objects: unknown[]): Promise<string> => {
    const file = join(folder, `${(files += 1)}.yaml`);
    await writeFile(file, objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n'));
    return file;
  };
  const functionsFile = await write(
    functionAt(ours.metadata.name, `127.0.0.1:${server.port}`),
    ...Object.entries(others).map(([name, address]) => functionAt(name, address)),
  );
  return {
    async render(xr, { definition, composition }, { observed = [], required = [] } = {}) {
      const args = ['composition', 'render', await write(xr), join(ROOT, composition), functionsFile];
      args.push(`--crossplane-binary=${core}`, `--xrd=${join(ROOT, definition)}`, '--include-full-xr');
      if (observed.length > 0) args.push(`--observed-resources=${await write(...observed)}`);
      if (required.length > 0) args.push(`--required-resources=${await write(...required)}`);
      return await run(cli, args);
    },
    async validate(text, definitions = []) {
      const file = join(folder, `${(files += 1)}.yaml`);
      await writeFile(file, text);
      const schemas = ['package/provider/crds', ...Object.values(OURS).map((one) => one.definition), ...definitions];
      const flags = ['--crossplane-image=', `--cache-dir=${join(folder, 'cache')}`, '--error-on-missing-schemas'];
      const paths = schemas.map((path) => join(ROOT, path)).join(',');
      return await run(cli, ['resource', 'validate', paths, file, ...flags]);
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const NOW = '2024-01-01T00:00:00Z';

/** The composed resources as Crossplane would find them after the provider has done its work, with the Secrets of logins. */
export function observe(
  composed: readonly Rendered[],
  xr: Rendered,
  conditions: (resource: Rendered) => Record<string, string> = () => ({}),
): { observed: Json[]; secrets: Json[] } {
  const owner = {
    apiVersion: xr.apiVersion,
    kind: xr.kind,
    name: xr.metadata.name,
    uid: xr.metadata['uid'],
    controller: true,
    blockOwnerDeletion: true,
  };
  const observed = composed
    .filter(({ kind }) => kind !== 'Secret')
    .map((resource) => {
      const failed = conditions(resource)['message'];
      const entry = (type: string, ok: boolean, reason: string, message?: string) => ({
        type,
        status: ok ? 'True' : 'False',
        reason,
        ...(message === undefined ? {} : { message }),
        lastTransitionTime: NOW,
      });
      return {
        ...resource,
        metadata: { ...resource.metadata, ownerReferences: [owner] },
        status: {
          conditions: [
            entry('Ready', failed === undefined, failed === undefined ? 'Available' : 'Creating'),
            failed === undefined
              ? entry('Synced', true, 'ReconcileSuccess')
              : entry('Synced', false, 'ReconcileError', failed),
          ],
        },
      };
    });
  const secrets = composed.flatMap((resource) => {
    const name = (resource.spec?.['writeConnectionSecretToRef'] as { name: string } | undefined)?.name;
    if (name === undefined) return [];
    const username = resource.metadata.annotations?.['crossplane.io/external-name'] ?? '';
    const values = {
      username,
      password: 'not-a-secret',
      endpoint: 'db.example.org',
      port: '5432',
      database: 'orders',
      uri: `postgresql://${username}:not-a-secret@db.example.org:5432/orders`,
    };
    const data = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    const metadata = { name, namespace: resource.metadata.namespace };
    return [{ apiVersion: 'v1', kind: 'Secret', metadata, type: 'connection.crossplane.io/v1alpha1', data }];
  });
  return { observed, secrets };
}
