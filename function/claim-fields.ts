/** Pieces of schema that the claim, the platform's defaults and its classes share. */
import { z } from 'zod';
import { duration, matching } from '../provider/api/text.ts';

/** What a list is told apart by: the API server then refuses a second entry of the same name. */
export const byName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] } as const;

export const label = (maxLength: number) =>
  matching(
    /^[a-z]([a-z0-9-]*[a-z0-9])?$/,
    'must be lower-case letters, digits and -, beginning with a letter and not ending with -',
    maxLength,
  );

export const sqlName = (what: string) => z.string().min(1).max(63).describe(what);

export const objectName = (what: string) => z.string().min(1).max(253).describe(what);

export const sessions = (what: string) => z.int().min(-1).max(2_147_483_647).optional().describe(what);

export const serverRef = z
  .object({
    kind: z
      .enum(['ProviderConfig', 'ClusterProviderConfig'])
      .default('ClusterProviderConfig')
      .describe('ClusterProviderConfig (a server that the platform shares) or ProviderConfig (of this namespace).'),
    name: objectName('Name of the configuration.'),
  })
  .describe('The server, by the configuration that names it.');

export const passwordRotation = z
  .object({
    every: duration.optional().describe('How old a generated password may grow, e.g. 720h.'),
    trigger: z.string().min(1).max(253).optional().describe('Any text; a new one replaces the password once.'),
  })
  .optional();
