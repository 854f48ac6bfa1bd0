/** Turns a (Cluster)ProviderConfig and its Secrets into connection settings. */
import { DEFAULT_DATABASES, DEFAULT_PORTS } from '../../api/engines.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { ResourceError } from '../../common/errors.ts';
import { Secret } from '../../common/secret.ts';
import type { ConnectionSettings } from '../../engines/engine.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';
import { locate, nameOf, type SecretName } from '../objects/secret-names.ts';
import { secretText } from '../../common/secret-text.ts';

export type SecretLookup = (name: SecretName) => SecretObject | undefined;

/** Throws ResourceError naming the Secret and the key that is missing. */
export function connectionSettings(config: ProviderConfig, lookup: SecretLookup): ConnectionSettings {
  const { spec } = config;
  const read = (ref: { name: string; namespace?: string | undefined }, key: string, what: string): string => {
    const value = optional(ref, key);
    if (value === undefined || value === '')
      throw new ResourceError(
        value === undefined ? 'SecretKeyNotFound' : 'SecretKeyEmpty',
        `${nameOf(config)}: Secret ${described(ref)} has no ${value === undefined ? '' : 'value for '}key ${JSON.stringify(key)} (${what})`,
      );
    return value;
  };
  const described = (ref: { name: string; namespace?: string | undefined }): string => {
    const { namespace, name } = locate(config, ref);
    return JSON.stringify(`${namespace}/${name}`);
  };
  const optional = (ref: { name: string; namespace?: string | undefined }, key: string): string | undefined => {
    const secret = lookup(locate(config, ref));
    if (secret === undefined)
      throw new ResourceError('SecretNotFound', `${nameOf(config)}: Secret ${described(ref)} does not exist`);
    const encoded = secret.data?.[key];
    return encoded === undefined
      ? undefined
      : secretText(encoded, `${nameOf(config)}: key ${JSON.stringify(key)} of Secret ${described(ref)}`);
  };

  const { secretRef, username: givenUsername } = spec.credentials;
  const mapping = spec.credentials.secretKeyMapping;
  const host =
    spec.endpoint ??
    (secretRef === undefined ? undefined : read(secretRef, mapping.endpoint, 'the host, as endpoint is not given'));
  if (!host) throw new ResourceError('InvalidProviderConfig', `${nameOf(config)}: endpoint is not given`);
  const username =
    givenUsername ??
    (secretRef === undefined
      ? undefined
      : read(secretRef, mapping.username, 'the user name of the administrator').trim());
  if (!username)
    throw new ResourceError('InvalidProviderConfig', `${nameOf(config)}: credentials.username is not given`);
  const certificate = spec.tls?.clientCertSecretRef;
  const password = secretRef === undefined ? undefined : optional(secretRef, mapping.password)?.replace(/\r?\n$/, '');
  if (!password && spec.credentials.source !== 'None' && certificate === undefined && secretRef !== undefined)
    read(secretRef, mapping.password, 'the password of the administrator');
  const ca = spec.tls?.caSecretRef;
  return {
    engine: spec.engine,
    host,
    port:
      spec.port ??
      portIn(config, secretRef === undefined ? undefined : optional(secretRef, mapping.port)) ??
      DEFAULT_PORTS[spec.engine],
    username,
    ...(password ? { password: new Secret(password) } : {}),
    database: spec.defaultDatabase ?? DEFAULT_DATABASES[spec.engine],
    tls: {
      mode: spec.tls?.mode ?? 'verify-full',
      ...(spec.tls?.serverName === undefined ? {} : { serverName: spec.tls.serverName }),
      ...(ca === undefined ? {} : { ca: read(ca, ca.key, 'the CA certificate') }),
      ...(certificate === undefined
        ? {}
        : {
            cert: read(certificate, certificate.certKey, 'the client certificate'),
            key: new Secret(read(certificate, certificate.keyKey, 'the private key of the client certificate')),
          }),
    },
    connectionLimit: spec.connectionLimit ?? 4,
  };
}

function portIn(config: ProviderConfig, text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const port = Number(text.trim());
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new ResourceError(
    'InvalidProviderConfig',
    `${nameOf(config)}: the port in the credentials Secret is not a number from 1 to 65535`,
  );
}
