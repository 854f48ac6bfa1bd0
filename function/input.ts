/** The input of the Composition's step: what the platform decides for every claim. */
import { z } from 'zod';
import { toStructural } from '../provider/api/crd.ts';
import { ENGINES } from '../provider/api/engines.ts';
import { VERSION } from '../provider/api/kind.ts';
import { duration, matching, privilege } from '../provider/api/text.ts';
import { checked } from './checked.ts';
import { defaultable, MAX_SCHEMAS, MAX_ROLES, serverRef } from './claim.ts';
import { ClaimError } from './errors.ts';
import { fieldPaths, statusPath } from './field-paths.ts';

export const INPUT_GROUP = 'fn.xdatabase.dev';
export const INPUT_KIND = 'Input';

const server = z.object({ kind: serverRef.shape.kind, name: serverRef.shape.name });

const defaults = z
  .object(defaultable)
  .optional()
  .describe('What claims get that do not say otherwise. Lists are taken whole; database and backup field by field.');

const word = (what: string) => z.string().min(1).max(63).describe(what);
const wordSet = { 'x-kubernetes-list-type': 'set' } as const;

/** What a claim may ask for at most. A class's own word goes before that of all claims. */
const ceilings = {
  maxRoles: z
    .int()
    .min(0)
    .max(MAX_ROLES)
    .optional()
    .describe(`Most roles that a claim may list; ${MAX_ROLES} when not given.`),
  maxSchemas: z
    .int()
    .min(0)
    .max(MAX_SCHEMAS)
    .optional()
    .describe(`Most schemas that a claim may list; ${MAX_SCHEMAS} when not given.`),
  allowedExtensions: z
    .array(word('Name of the extension.'))
    .max(256)
    .meta(wordSet)
    .optional()
    .describe('Extensions that claims may list; all when not given, within what the server allows.'),
  allowedPrivileges: z
    .array(privilege)
    .max(128)
    .meta(wordSet)
    .optional()
    .describe('Privileges that grants of roles may give; all when not given.'),
  requireBackup: z.boolean().optional().describe('Whether every claim must have a backup, and may not suspend it.'),
  minBackupInterval: duration.optional().describe('Shortest time between two backups of a schedule, e.g. 1h.'),
  maxExpiresAfter: duration
    .optional()
    .describe('Longest expiresAfter that a claim may have; every claim must then have one, if by default.'),
};

const serverClass = z
  .object({
    name: word('What claims call it.'),
    engine: z.enum(ENGINES).default('postgres').describe('Engine of the server.'),
    serverRef: server.describe('The server.'),
    connectionLimit: z
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .describe('PostgreSQL: sessions at a time in a database of this class; a claim may ask for fewer, not for more.'),
    ...ceilings,
    defaults,
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "!has(self.connectionLimit) || self.engine == 'postgres'",
        message: 'connectionLimit is known to postgres only',
      },
    ],
  });

const template = (what: string) =>
  matching(
    /^([^{}]|[{](namespace|name|database|role|class|engine)[}])+$/,
    'must be text with {namespace}, {name}, {database}, {role}, {class} and {engine} in it',
    253,
  )
    .optional()
    .describe(what);

const naming = z
  .object({
    database: template('Name of the database, e.g. {namespace}_{name}; {name} when not given. - and . become _.'),
    username: template('Names of roles on the server; {database}_{role} when not given. - and . become _.'),
    secret: template('Names of the Secrets of roles; {name}-{role} when not given.'),
    allowOwnNames: z.boolean().default(true).describe('Whether claims may give databaseName and username themselves.'),
  })
  .meta({
    'x-kubernetes-validations': [
      { rule: "!has(self.username) || self.username.contains('{role}')", message: 'username must have {role} in it' },
      { rule: "!has(self.secret) || self.secret.contains('{role}')", message: 'secret must have {role} in it' },
      {
        rule: "!has(self.database) || !(self.database.contains('{role}') || self.database.contains('{database}'))",
        message: 'database cannot have {role} or {database} in it',
      },
    ],
  })
  .optional()
  .describe('How databases, roles and Secrets are called.');

export const inputFields = z.object({
  classes: z
    .array(serverClass)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .optional()
    .describe('Servers that claims choose by class.'),
  defaultClass: word('Class of claims that name neither serverRef nor class.').optional(),
  defaultServerRef: server.optional().describe('Server of claims that name neither serverRef nor class.'),
  allowServerRef: z
    .boolean()
    .default(true)
    .describe('Whether claims may name a server themselves, instead of one of the classes.'),
  allowedEngines: z
    .array(z.enum(ENGINES))
    .min(1)
    .max(ENGINES.length)
    .meta(wordSet)
    .optional()
    .describe('Engines that claims may ask for; every engine when not given.'),
  ...ceilings,
  defaults,
  naming,
  fieldPaths,
  statusPath,
});

export const inputRules = [
  {
    rule: '!(has(self.defaultClass) && has(self.defaultServerRef))',
    message: 'either defaultClass or defaultServerRef can be given',
  },
  {
    rule: '!has(self.defaultClass) || (has(self.classes) && self.classes.exists(x, x.name == self.defaultClass))',
    message: 'defaultClass must be the name of one of the classes',
  },
];

export type Input = z.output<typeof inputFields>;
export type ServerClass = z.output<typeof serverClass>;
export type Ceilings = Pick<Input, keyof typeof ceilings>;

const schema = { ...toStructural(inputFields), 'x-kubernetes-validations': inputRules };

/** Compositions change seldom: what was checked once need not be again. Nobody writes to what is kept. */
const known = new Map<string, Input>();
const KNOWN = 64;

/** @throws ClaimError naming the field of the Composition's input. */
export function parseInput(input: unknown): Input {
  const text = JSON.stringify(input ?? {});
  const before = known.get(text);
  if (before !== undefined) return before;
  const { apiVersion, kind, metadata: _, ...rest } = (input ?? {}) as Record<string, unknown>;
  if (apiVersion !== undefined && apiVersion !== `${INPUT_GROUP}/${VERSION}`)
    throw new ClaimError('input.apiVersion', `must be ${INPUT_GROUP}/${VERSION}`);
  if (kind !== undefined && kind !== INPUT_KIND) throw new ClaimError('input.kind', `must be ${INPUT_KIND}`);
  const parsed = checked(schema, 'input', rest) as Input;
  if (known.size >= KNOWN) known.delete(known.keys().next().value ?? '');
  if (text.length < 100_000) known.set(text, parsed);
  return parsed;
}
