/** Pieces of schema that several kinds share. */
import { z } from 'zod';
import {
  type CelRule,
  GROUPS,
  type GroupName,
  type KindDefinition,
  type PrinterColumn,
  type Reference,
  VERSION,
} from './kind.ts';
import { objectName } from './text.ts';

/** A name on an SQL server; the byte limit of each engine is checked by its driver, which counts bytes. */
export const sqlName = (what: string) => z.string().min(1).max(128).describe(what);

export const secretKeyRef = (what: string, preset = 'password') =>
  z
    .object({
      name: objectName('Name of the Secret, in the namespace of this object.'),
      key: z.string().min(1).max(253).default(preset).describe('Key in the Secret.'),
    })
    .describe(what);

/** The key of an age identity where none is said. */
export const IDENTITY_KEY = 'identity';

export const identitySecretRef = secretKeyRef(
  'Secret with the private key (age identity) of an encrypted backup, as age-keygen writes it.',
  IDENTITY_KEY,
).optional();

const refPolicy = z
  .object({
    resolve: z
      .enum(['Always', 'IfNotPresent'])
      .optional()
      .describe(
        'When the reference is resolved. IfNotPresent (the default) resolves it once; Always at every reconcile.',
      ),
    resolution: z
      .enum(['Required', 'Optional'])
      .optional()
      .describe('Whether the resource waits for the reference (Required, the default) or goes on without it.'),
  })
  .optional()
  .describe('How the reference is resolved.');

export const reference = (kind: string) =>
  z
    .object({ name: objectName(`Name of the ${kind}.`), policy: refPolicy })
    .optional()
    .describe(`A ${kind} in the same namespace whose external name is used.`);

export const selector = (kind: string) =>
  z
    .object({
      matchLabels: z.record(z.string(), z.string()).optional().describe('Labels that the object must carry.'),
      matchControllerRef: z
        .boolean()
        .optional()
        .describe('Whether the object must have the same controller as this one, as resources of one composite have.'),
      policy: refPolicy,
    })
    .optional()
    .describe(`Selects a ${kind} in the same namespace whose external name is used.`);

/** The three spellings of a reference: `x`, `xRef`, `xSelector`. */
export function referable<N extends string>(
  field: N,
  kind: string,
  what: string,
  value: z.ZodType = sqlName(what).optional(),
) {
  return { [field]: value, [`${field}Ref`]: reference(kind), [`${field}Selector`]: selector(kind) } as unknown as {
    [K in N]: z.ZodOptional<z.ZodString>;
  } & { [K in `${N}Ref`]: ReturnType<typeof reference> } & { [K in `${N}Selector`]: ReturnType<typeof selector> };
}

/** CEL for whether a field is given in one of the three spellings of a reference. */
export const isNamed = (field: string): string =>
  `(has(self.forProvider.${field}) || has(self.forProvider.${field}Ref) || has(self.forProvider.${field}Selector))`;

/** A rule that wants one of the three spellings of a reference. */
export const requiresReference = (field: string): CelRule => ({
  rule: isNamed(field),
  message: `forProvider.${field}, ${field}Ref or ${field}Selector is required`,
});

/** A rule that keeps a field as it was once set. A value that a reference resolves may still be filled in. */
const immutable = (field: string): CelRule => ({
  rule: `!has(oldSelf.forProvider.${field}) || (has(self.forProvider.${field}) && self.forProvider.${field} == oldSelf.forProvider.${field})`,
  message: `forProvider.${field} cannot be changed: delete this resource and create another`,
});

/** Settings of new sessions. */
export const settings = (what: string) =>
  z
    .array(
      z.object({
        name: z.string().min(1).max(128).describe('Name of the setting, e.g. search_path.'),
        value: z
          .string()
          .max(8192)
          .describe('Its value, as one would write it in a configuration file without quotes.'),
      }),
    )
    .max(64)
    .meta({
      'x-kubernetes-validations': [
        { rule: 'self.all(x, self.exists_one(y, y.name == x.name))', message: 'each setting can be given once' },
      ],
    })
    .optional()
    .describe(what);

export const adopt = z
  .boolean()
  .default(false)
  .describe(
    'Whether an object that already exists on the server, and was not made by this resource, may be taken over. An adopted object is not dropped when this resource is deleted, unless dropPolicy is Always.',
  );

export const dropPolicy = z
  .enum(['WhenEmpty', 'Always', 'Never'])
  .default('WhenEmpty')
  .describe(
    'What deletion does: WhenEmpty (the default) drops the object only when it holds nothing, Always drops it with all it holds, Never leaves it on the server.',
  );

const connectionSecret = z
  .object({ name: objectName('Name of the Secret.') })
  .optional()
  .describe('Secret in this namespace that receives the connection details.');

const providerConfigRef = z
  .object({
    kind: z
      .enum(['ProviderConfig', 'ClusterProviderConfig'])
      .default('ClusterProviderConfig')
      .describe('Kind of the configuration: ProviderConfig (in this namespace) or ClusterProviderConfig.'),
    name: z.string().min(1).max(253).default('default').describe('Name of the configuration.'),
  })
  .prefault({})
  .describe('The server this resource belongs to.');

const managementPolicies = z
  .array(z.enum(['Observe', 'Create', 'Update', 'Delete', 'LateInitialize', '*']))
  .default(['*'])
  .describe(
    'What the provider may do with the external object. ["*"] is everything; ["Observe"] never writes; [] pauses.',
  );

/** A field without its default. Under initProvider a default would speak for the user, who said nothing. */
function withoutDefault(field: z.ZodType): z.ZodType {
  if (field instanceof z.ZodDefault || field instanceof z.ZodPrefault)
    return withoutDefault(field.unwrap() as z.ZodType);
  return field;
}

/** Every field of an object made optional, and without its default. */
function partial<F extends z.ZodRawShape>(object: z.ZodObject<F>): z.ZodObject {
  const fields = Object.entries(object.shape as unknown as Record<string, z.ZodType>);
  return z.object(
    Object.fromEntries(
      fields.map(([name, field]) => {
        const bare = withoutDefault(field).optional();
        // A description given after the default is lost with it.
        return [name, field.description === undefined ? bare : bare.describe(field.description)];
      }),
    ),
  );
}

const condition = z.object({
  type: z.string().describe('Type of the condition.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  reason: z.string().describe('One stable word for why.'),
  message: z.string().optional().describe('What happened, why, and what to do.'),
  lastTransitionTime: z.iso.datetime().describe('When the status last changed.'),
  observedGeneration: z.int().optional().describe('The generation of the spec this speaks of.'),
});

export const conditions = z
  .array(condition)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
  .optional()
  .describe('Conditions of the resource.');

const managedStatus = (atProvider: z.ZodObject) =>
  z.object({
    atProvider: atProvider.optional().describe('What the server says.'),
    conditions,
    observedGeneration: z.int().optional().describe('The last generation that was reconciled.'),
    lastHandledReconcileAt: z
      .string()
      .optional()
      .describe('The last token of crossplane.io/reconcile-requested-at that was handled.'),
  });

const MANAGED_COLUMNS: PrinterColumn[] = [
  { name: 'READY', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
  { name: 'SYNCED', type: 'string', jsonPath: ".status.conditions[?(@.type=='Synced')].status" },
  { name: 'EXTERNAL-NAME', type: 'string', jsonPath: '.metadata.annotations.crossplane\\.io/external-name' },
  { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

interface ManagedOptions<F extends z.ZodRawShape, A extends z.ZodRawShape> {
  group: Exclude<GroupName, 'config'>;
  kind: string;
  plural: string;
  shortNames?: string[];
  description: string;
  forProvider: z.ZodObject<F>;
  atProvider: z.ZodObject<A>;
  references?: Reference[];
  /** Fields of forProvider that CEL keeps as they are. */
  immutable?: string[];
  rules?: CelRule[];
  columns?: PrinterColumn[];
}

/** The type of a kind definition that remembers its forProvider and atProvider schemas. */
export interface ManagedKind<F extends z.ZodRawShape = z.ZodRawShape, A extends z.ZodRawShape = z.ZodRawShape>
  extends KindDefinition {
  forProvider: z.ZodObject<F>;
  atProvider: z.ZodObject<A>;
}

/** Defines a managed kind with the standard Crossplane shape around `forProvider` and `atProvider`. */
export function defineManaged<F extends z.ZodRawShape, A extends z.ZodRawShape>(
  options: ManagedOptions<F, A>,
): ManagedKind<F, A> {
  const spec = z.object({
    forProvider: options.forProvider.describe(`What the ${options.kind} should be.`),
    initProvider: partial(options.forProvider)
      .optional()
      .describe('Fields that are used only when the object is created, and are ignored afterwards.'),
    providerConfigRef,
    managementPolicies,
    writeConnectionSecretToRef: connectionSecret,
  });
  const [
    head = MANAGED_COLUMNS[0]!,
    synced = MANAGED_COLUMNS[1]!,
    external = MANAGED_COLUMNS[2]!,
    age = MANAGED_COLUMNS[3]!,
  ] = MANAGED_COLUMNS;
  return {
    group: GROUPS[options.group],
    version: VERSION,
    kind: options.kind,
    plural: options.plural,
    singular: options.kind.toLowerCase(),
    shortNames: options.shortNames ?? [],
    categories: ['crossplane', 'managed', 'xdatabase'],
    namespaced: true,
    description: options.description,
    spec,
    status: managedStatus(options.atProvider),
    specRules: [
      ...(options.immutable ?? []).map(immutable),
      {
        rule: 'self.providerConfigRef == oldSelf.providerConfigRef',
        message: 'providerConfigRef cannot be changed: the object lives on the server it was made on',
      },
      ...(options.rules ?? []),
    ],
    columns: [head, synced, external, ...(options.columns ?? []), age],
    references: options.references ?? [],
    managed: true,
    forProvider: options.forProvider,
    atProvider: options.atProvider,
  };
}
