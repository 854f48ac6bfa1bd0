/** The input of the Composition's step: what the platform decides for every claim. */
import { z } from 'zod';
import { ENGINES, serverRef } from './claim.ts';
import { ClaimError, fieldPath } from './errors.ts';

export const INPUT_GROUP = 'fn.xdatabase.dev';
export const INPUT_KIND = 'Input';

const server = z.object({
  kind: serverRef.shape.kind,
  name: serverRef.shape.name,
});

export const inputFields = z.object({
  classes: z
    .array(
      z.object({
        name: z.string().min(1).max(63).describe('What claims call it.'),
        engine: z.enum(ENGINES).default('postgres').describe('Engine of the server.'),
        serverRef: server.describe('The server.'),
      }),
    )
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Servers that claims choose by class.'),
  defaultServerRef: server.optional().describe('Server of claims that name neither serverRef nor class.'),
});

export type Input = z.output<typeof inputFields>;

const strictInput = z.strictObject({
  ...inputFields.shape,
  apiVersion: z.unknown().optional(),
  kind: z.unknown().optional(),
  metadata: z.unknown().optional(),
});

/** @throws ClaimError naming the field of the Composition's input. */
export function parseInput(input: unknown): Input {
  if (input === undefined || input === null) return {};
  const result = strictInput.safeParse(input);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new ClaimError(fieldPath('input', issue?.path ?? []), issue?.message ?? 'is not valid');
  }
  return result.data;
}
