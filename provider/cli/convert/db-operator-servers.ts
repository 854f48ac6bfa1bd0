/** DbServer and S3Storage of obeleh/db-operator. */
import type { KubeObject, ProviderConfigReference } from '../../api/kind.ts';
import { type Conversion, fieldsOf, given, specOf, textOf } from './conversion.ts';

export const DB_OPERATOR = 'db-operator.kubemaster.com/v1alpha1';

export type OldEngine = 'postgres' | 'mysql' | 'cockroachdb';

export interface OldServer {
  object: KubeObject;
  engine: OldEngine;
  ref: ProviderConfigReference;
}

const engineOf = (object: KubeObject): OldEngine | undefined =>
  (['postgres', 'mysql', 'cockroachdb'] as const).find(
    (engine) => engine === textOf(specOf(object)['server_type'])?.toLowerCase(),
  );

/** The DbServer of that name: of the own namespace, or else the only one anywhere. */
function find(conversion: Conversion, namespace: string, name: string): KubeObject | undefined {
  const named = conversion.all('DbServer', DB_OPERATOR).filter(({ metadata }) => metadata.name === name);
  return named.find((one) => conversion.namespaceOf(one) === namespace) ?? (named.length === 1 ? named[0] : undefined);
}

const SERVER_FIELDS: Record<string, string> = { Db: 'server', User: 'db_server_name', Schema: 'db_server_name' };

/** Namespaces that use a server, its own included. */
function usersOf(conversion: Conversion, server: KubeObject): string[] {
  const users = Object.entries(SERVER_FIELDS).flatMap(([kind, field]) =>
    conversion
      .all(kind, DB_OPERATOR)
      .filter((one) => find(conversion, conversion.namespaceOf(one), textOf(specOf(one)[field]) ?? '') === server)
      .map((one) => conversion.namespaceOf(one)),
  );
  return [...new Set([conversion.namespaceOf(server), ...users])].toSorted();
}

export function serverOf(conversion: Conversion, namespace: string, name: string | undefined): OldServer | undefined {
  const object = name === undefined ? undefined : find(conversion, namespace, name);
  const engine = object === undefined ? undefined : engineOf(object);
  if (object === undefined || engine === undefined) return undefined;
  const isShared = usersOf(conversion, object).length > 1;
  return {
    object,
    engine,
    ref: { kind: isShared ? 'ClusterProviderConfig' : 'ProviderConfig', name: object.metadata.name },
  };
}

function tlsOf(conversion: Conversion, object: KubeObject, engine: OldEngine, secret: object): object {
  const { ca_cert_key: ca, tls_cert_key: cert, tls_key_key: key, options } = specOf(object);
  if (engine === 'mysql') {
    conversion.note(
      object,
      'spoke to MySQL without TLS; it is encrypted now when the server can: set tls.mode verify-full',
    );
    return { mode: 'prefer' };
  }
  const asked = textOf(fieldsOf(options)['sslmode']) ?? 'require';
  const mode = asked === 'allow' ? 'prefer' : asked === 'require' && textOf(ca) !== undefined ? 'verify-ca' : asked;
  if (mode === 'disable') return { mode };
  if (mode !== 'verify-full')
    conversion.note(object, `sslmode ${asked} does not check who answers: set tls.mode verify-full`);
  return given({
    mode,
    caSecretRef: textOf(ca) === undefined ? undefined : { ...secret, key: ca },
    clientCertSecretRef: textOf(cert) === undefined ? undefined : { ...secret, certKey: cert, keyKey: key },
  });
}

export function convertServer(conversion: Conversion, object: KubeObject): void {
  const spec = specOf(object);
  const namespace = conversion.namespaceOf(object);
  const server = serverOf(conversion, namespace, object.metadata.name);
  if (server === undefined) {
    conversion.lost(
      object,
      `server_type ${JSON.stringify(spec['server_type'])} is not one of postgres, mysql, cockroachdb`,
    );
    return;
  }
  const isShared = server.ref.kind === 'ClusterProviderConfig';
  const secret = { name: String(spec['secret_name']), ...(isShared ? { namespace } : {}) };
  const byCertificate = textOf(spec['tls_cert_key']) !== undefined && textOf(spec['password_key']) === undefined;
  conversion.addConfig(server.ref.kind, object.metadata.name, namespace, {
    engine: server.engine,
    endpoint: spec['address'],
    port: spec['port'],
    credentials: byCertificate
      ? { source: 'None', username: spec['user_name'] }
      : given({
          source: 'Secret',
          secretRef: secret,
          username: spec['user_name'],
          secretKeyMapping: textOf(spec['password_key']) === undefined ? undefined : { password: spec['password_key'] },
        }),
    tls: tlsOf(conversion, object, server.engine, secret),
    ...(isShared ? { allowedNamespaces: { names: usersOf(conversion, object) } } : {}),
  });
  if (isShared)
    conversion.note(
      object,
      'is used from several namespaces, so it became a ClusterProviderConfig for exactly these; they can no longer name what others manage',
    );
  if (isShared && conversion.options.adopt)
    conversion.note(object, 'adopt is refused on a shared server: set isolation: None until everything is taken over');
  if (textOf(spec['version']) !== undefined)
    conversion.note(
      object,
      `version ${String(spec['version'])} is not needed: images follow the version of the server`,
    );
}

/** The place of a target, inline, as every namespace had its own. */
export function storageOf(conversion: Conversion, user: KubeObject, target: KubeObject): object | undefined {
  const { storage_location: location, storage_type: type } = specOf(target);
  const namespace = conversion.namespaceOf(user);
  const object = conversion
    .all('S3Storage', DB_OPERATOR)
    .find((one) => one.metadata.name === location && conversion.namespaceOf(one) === namespace);
  if (String(type).toLowerCase() !== 's3' || object === undefined) {
    conversion.lost(user, `its storage ${JSON.stringify(location)} (${String(type)}) is not in the files`);
    return undefined;
  }
  const spec = specOf(object);
  const id = textOf(spec['access_key_id']);
  const secretName = textOf(spec['secret_access_key_k8s_secret']);
  if (id !== undefined && secretName !== undefined) {
    // The key ID was in the clear; applied, this adds it to the Secret beside the key.
    conversion.addPlain({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secretName, namespace },
      stringData: { AWS_ACCESS_KEY_ID: id },
    });
  }
  return {
    s3: given({
      bucket: spec['bucket_name'],
      region: spec['region'],
      endpoint: textOf(spec['endpoint']),
      prefix: textOf(spec['prefix']),
      roleArn: textOf(spec['assume_role_arn']),
      credentialsSecretRef:
        id === undefined || secretName === undefined
          ? undefined
          : {
              name: secretName,
              secretAccessKeyKey: textOf(spec['secret_access_key_k8s_secret_key']) ?? 'SECRET_ACCESS_KEY',
            },
    }),
  };
}
