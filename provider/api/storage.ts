/** Where backups are stored: an S3 bucket or a filesystem. */
import { z } from 'zod';
import { type SecretScope, secretKey, secretKeyOf, secretName } from './secret-ref.ts';
import { matching, objectName } from './text.ts';

const prefix = matching(
  /^[A-Za-z0-9!_.*'()/=+@,-]*$/,
  'must be a path of letters, digits and - _ . / only',
  512,
).describe('Path before every key; with or without a slash at either end it means the same.');

const address = (example: string) =>
  matching(/^https?:\/\/[^\s/?#]+\/?$/, `must be a URL with http or https, e.g. ${example}`, 512).optional();

const s3 = (scope: SecretScope) =>
  z
    .object({
      bucket: matching(
        /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/,
        'must be the name of a bucket, without s3:// or a path',
        255,
      ).describe('Name of the bucket.'),
      region: z.string().min(1).max(64).default('us-east-1').describe('Region of the bucket.'),
      endpoint: address('https://minio.example.org:9000').describe(
        'Address of an S3-compatible server; Amazon S3 when not given.',
      ),
      prefix: prefix.optional(),
      forcePathStyle: z
        .boolean()
        .optional()
        .describe('Whether the bucket is in the path instead of the host name; true when endpoint is given.'),
      credentialsSecretRef: z
        .object({
          ...secretName(scope),
          accessKeyIdKey: secretKey('AWS_ACCESS_KEY_ID', 'Key in the Secret that holds the access key ID.'),
          secretAccessKeyKey: secretKey('AWS_SECRET_ACCESS_KEY', 'Key in the Secret that holds the secret access key.'),
          sessionTokenKey: secretKey(
            'AWS_SESSION_TOKEN',
            'Key in the Secret that holds the session token; the Secret need not have it.',
          ),
        })
        .optional()
        .describe(
          'Secret with an access key. When not given, the identity of the ServiceAccount of the job is used (web identity, IRSA).',
        ),
      roleArn: matching(
        /^arn:[a-z0-9-]+:iam::[0-9]*:role\/.+$/,
        'must be the ARN of a role, e.g. arn:aws:iam::123456789012:role/backup',
        2048,
      )
        .optional()
        .describe('Role that is assumed before the bucket is used.'),
      externalId: z.string().min(1).max(1224).optional().describe('External ID that roleArn asks for.'),
      stsEndpoint: address('https://minio.example.org:9000').describe(
        'Address of the token service (STS) that gives the keys of roleArn, or those of the web identity of the ServiceAccount; that of Amazon in the region when not given.',
      ),
      caSecretRef: secretKeyOf(
        scope,
        'ca.crt',
        'CA that signed the certificates of endpoint and stsEndpoint (PEM).',
      ).optional(),
      serverSideEncryption: z
        .object({
          type: z
            .enum(['SSE-S3', 'SSE-KMS', 'SSE-C'])
            .describe('Key of the service, key of its key management, or a key that you give.'),
          kmsKeyId: z
            .string()
            .min(1)
            .max(2048)
            .optional()
            .describe('SSE-KMS: key; the default key of the account when not given.'),
          customerKeySecretRef: secretKeyOf(scope, 'key', 'SSE-C: the key, 32 bytes in base64.').optional(),
        })
        .meta({
          'x-kubernetes-validations': [
            {
              rule: "(self.type == 'SSE-C') == has(self.customerKeySecretRef)",
              message: 'customerKeySecretRef is required for SSE-C, and is for SSE-C only',
            },
            { rule: "self.type == 'SSE-KMS' || !has(self.kmsKeyId)", message: 'kmsKeyId is for SSE-KMS only' },
          ],
        })
        .optional()
        .describe('Encryption at rest by the server. For encryption before upload see encryption of a Backup.'),
      storageClass: z.string().min(1).max(64).optional().describe('Storage class of the objects, e.g. STANDARD_IA.'),
    })
    .describe('Bucket of Amazon S3 or of a server that speaks its protocol.');

const filesystem = z
  .object({
    persistentVolumeClaim: z
      .object({ claimName: objectName('Name of the PersistentVolumeClaim, in the namespace in which jobs run.') })
      .optional()
      .describe('Volume that jobs mount.'),
    path: matching(/^\/[^\0]*$/, 'must be an absolute path, e.g. /backups', 1024)
      .default('/backups')
      .describe('Where the volume is mounted; on the command line the folder itself.'),
    prefix: prefix.optional(),
  })
  .describe('Folder of a volume.');

const one = (fields: string[]) => ({
  rule: `[${fields.map((field) => `has(self.${field})`).join(', ')}].filter(x, x).size() == 1`,
  message: `exactly one of ${fields.slice(0, -1).join(', ')} and ${fields.at(-1)} is required`,
});

/** One entry of `storages` of a configuration. */
export const namedStorage = (scope: SecretScope) =>
  z
    .object({
      name: matching(
        /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
        'must be lower-case letters, digits and dashes, e.g. main',
        63,
      ).describe('Name by which backups refer to it.'),
      s3: s3(scope).optional(),
      filesystem: filesystem.optional(),
    })
    .meta({ 'x-kubernetes-validations': [one(['s3', 'filesystem'])] })
    .describe('One place for backups.');

/** Where one backup kind stores or finds its files. */
export const storage = z
  .object({
    name: z.string().min(1).max(63).optional().describe('Name of an entry in storages of the configuration.'),
    s3: s3('own namespace').optional(),
    filesystem: filesystem.optional(),
  })
  .meta({ 'x-kubernetes-validations': [one(['name', 's3', 'filesystem'])] })
  .describe('Where the files are: an entry of the configuration by name, or a place given here.');

export type NamedStorage = z.infer<ReturnType<typeof namedStorage>>;
export type Storage = z.infer<typeof storage>;
export type S3Storage = z.infer<ReturnType<typeof s3>>;
export type FilesystemStorage = z.infer<typeof filesystem>;
