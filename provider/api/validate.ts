/** Validation without an API server, by the same schema and the same rules, and with the same defaults. */
import type { z } from 'zod';
import { invalidSpec } from '../common/errors.ts';
import type { ManagedKind } from './common.ts';
import { openApiSchema } from './crd.ts';
import { apiVersion, type KindDefinition, type KubeObject, type Managed } from './kind.ts';
import { type Problem, problems, withDefaults } from './structural.ts';

/** An object of a kind, after validation. */
export type Parsed<K extends KindDefinition> =
  K extends ManagedKind<infer F, infer A>
    ? Managed<z.output<z.ZodObject<F>>, z.output<z.ZodObject<A>>>
    : KubeObject & { spec: z.output<K['spec']> };

const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

function metadataProblems(kind: KindDefinition, metadata: unknown): Problem[] {
  const name = (metadata as { name?: unknown } | undefined)?.name;
  const namespace = (metadata as { namespace?: unknown } | undefined)?.namespace;
  const found: Problem[] = [];
  if (typeof name !== 'string' || name.length > 253 || !NAME.test(name)) {
    found.push({
      path: 'metadata.name',
      message: `${JSON.stringify(name) ?? 'nothing'} is not a name; allowed: lower-case letters, digits, - and . (another name on the server goes to the annotation crossplane.io/external-name)`,
    });
  }
  if (!kind.namespaced && namespace !== undefined) {
    found.push({ path: 'metadata.namespace', message: `is not allowed: a ${kind.kind} belongs to no namespace` });
  }
  return found;
}

/**
 * Checks an object as an API server would, and fills in defaults. Its status is not looked at.
 * @param old The object before a change: fields that cannot be changed are checked against it.
 * @throws ResourceError with reason InvalidSpec, naming every field that is wrong, its value and what is allowed.
 */
export function parse<K extends KindDefinition>(kind: K, object: unknown, old?: KubeObject): Parsed<K> {
  const { status, metadata, ...rest } = (object ?? {}) as KubeObject;
  if (rest.apiVersion !== apiVersion(kind) || rest.kind !== kind.kind) {
    throw invalidSpec(
      `apiVersion ${JSON.stringify(rest.apiVersion)}, kind ${JSON.stringify(rest.kind)} is not a ${kind.kind}; allowed: ${apiVersion(kind)}, ${kind.kind}`,
    );
  }
  const schema = openApiSchema(kind);
  const filled = withDefaults(schema, rest) as KubeObject;
  const found = [...metadataProblems(kind, metadata), ...problems(schema, filled, '', old)];
  if (found.length > 0) {
    const list = found.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    throw invalidSpec(`${kind.kind} ${JSON.stringify(metadata?.name ?? '')}: ${list.join('; ')}`);
  }
  return { ...filled, metadata, ...(status === undefined ? {} : { status }) } as unknown as Parsed<K>;
}
