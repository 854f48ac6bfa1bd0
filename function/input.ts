/** The input of the Composition's step: what the platform decides for every claim. */
import { z } from 'zod';
import { VERSION } from '../provider/api/kind.ts';
import { ENGINES, MAX_ROLES, serverRef } from './claim.ts';
import { ClaimError, refusalOf } from './errors.ts';
import { strict } from './strict.ts';

export const INPUT_GROUP = 'fn.xdatabase.dev';
export const INPUT_KIND = 'Input';

const server = z.object({
  kind: serverRef.shape.kind,
  name: serverRef.shape.name,
});

const serverClass = z
  .object({
    name: z.string().min(1).max(63).describe('What claims call it.'),
    engine: z.enum(ENGINES).default('postgres').describe('Engine of the server.'),
    serverRef: server.describe('The server.'),
    connectionLimit: z
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .describe('PostgreSQL: sessions at a time in a database of this class; a claim may ask for fewer, not for more.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "!has(self.connectionLimit) || !has(self.engine) || self.engine == 'postgres'",
        message: 'connectionLimit is known to postgres only',
      },
    ],
  });

export const inputFields = z.object({
  classes: z
    .array(serverClass)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Servers that claims choose by class.'),
  defaultServerRef: server.optional().describe('Server of claims that name neither serverRef nor class.'),
  allowedEngines: z
    .array(z.enum(ENGINES))
    .min(1)
    .max(ENGINES.length)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('Engines that claims may ask for; every engine when not given.'),
  maxRoles: z
    .int()
    .min(0)
    .max(MAX_ROLES)
    .optional()
    .describe(`Most roles that a claim may list; ${MAX_ROLES} when not given.`),
});

export type Input = z.output<typeof inputFields>;
export type ServerClass = z.output<typeof serverClass>;

const strictInput = strict(
  inputFields.extend({
    apiVersion: z.literal(`${INPUT_GROUP}/${VERSION}`).optional(),
    kind: z.literal(INPUT_KIND).optional(),
    metadata: z.unknown().optional(),
  }),
);

/** @throws ClaimError naming the field of the Composition's input. */
export function parseInput(input: unknown): Input {
  if (input === undefined || input === null) return {};
  const result = strictInput.safeParse(input);
  if (!result.success) throw refusalOf('input', input, result.error);
  const seen = new Set<string>();
  for (const [index, { name, engine, connectionLimit }] of (result.data.classes ?? []).entries()) {
    const path = `input.classes[${index}]`;
    if (seen.has(name)) throw new ClaimError(`${path}.name`, `${JSON.stringify(name)} is given twice`);
    seen.add(name);
    if (connectionLimit !== undefined && engine !== 'postgres')
      throw new ClaimError(`${path}.connectionLimit`, `is not known to ${engine}`);
  }
  return result.data;
}
