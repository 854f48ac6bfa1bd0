/** What provider-sql calls a server, and its configurations. */
import type { KubeObject, ProviderConfigReference } from '../../api/kind.ts';
import { type Conversion, fieldsOf, given, specOf, textOf } from './conversion.ts';

type Fields = Record<string, unknown>;

const GROUP = /^(?:(postgresql|mysql|mssql)\.)?sql\.(m\.)?crossplane\.io\/(.*)$/;

/** Of whatever version. */
export const isProviderSql = ({ apiVersion }: KubeObject): boolean => GROUP.test(apiVersion);

export const engineOf = ({ apiVersion }: KubeObject): string => GROUP.exec(apiVersion)?.[1] ?? '';
export const versionOf = ({ apiVersion }: KubeObject): string => GROUP.exec(apiVersion)?.[3] ?? '';
const isNamespaced = ({ apiVersion }: KubeObject): boolean => GROUP.exec(apiVersion)?.[2] !== undefined;

export function serverOf(object: KubeObject): ProviderConfigReference {
  const { kind, name, policy } = fieldsOf(specOf(object)['providerConfigRef']);
  // It said what to do while there is no configuration; we wait.
  JSON.stringify(policy);
  return {
    // What was of the cluster served everybody.
    kind: isNamespaced(object) && kind === 'ProviderConfig' ? 'ProviderConfig' : 'ClusterProviderConfig',
    name: textOf(name) ?? 'default',
  };
}

const TLS: Record<string, string> = {
  true: 'verify-full',
  'skip-verify': 'require',
  preferred: 'prefer',
  custom: 'verify-full',
};

export function convertConfig(conversion: Conversion, object: KubeObject, engine: string): void {
  const spec = specOf(object);
  const credentials = fieldsOf(spec['credentials']);
  const isOwn = isNamespaced(object) && object.kind === 'ProviderConfig';
  const { name, namespace } = fieldsOf(credentials['connectionSecretRef']);
  const isMysql = engine === 'mysql';
  const isUnverified = fieldsOf(spec['tlsConfig'])['insecureSkipVerify'] === true;
  const asked = isUnverified ? 'skip-verify' : (textOf(spec['tls']) ?? 'preferred');
  const mode = isMysql ? (TLS[asked] ?? 'verify-full') : (textOf(spec['sslMode']) ?? 'verify-full');
  if (textOf(credentials['source'])?.endsWith('ConnectionSecret') !== true)
    conversion.lost(
      object,
      `credentials.source ${JSON.stringify(credentials['source'])}: only connection Secrets are known`,
    );
  if (mode !== 'verify-full') conversion.note(object, `tls.mode ${mode} does not check who answers: set verify-full`);
  conversion.addConfig(
    isOwn ? 'ProviderConfig' : 'ClusterProviderConfig',
    object.metadata.name,
    conversion.namespaceOf(object),
    {
      engine: isMysql ? 'mysql' : 'postgres',
      credentials: given({
        source: 'Secret',
        secretRef: { name, ...(isOwn ? {} : { namespace: namespace ?? conversion.options.namespace }) },
        secretKeyMapping: credentials['secretKeyMapping'],
      }),
      tls: { mode, ...(isMysql ? certificates(conversion, object, isOwn) : {}) },
      defaultDatabase: isMysql ? undefined : spec['defaultDatabase'],
      ...(isOwn ? {} : sharing(conversion, object)),
    },
  );
}

/** Whoever used it may go on to. */
function sharing(conversion: Conversion, object: KubeObject): Fields {
  const users = ['Database', 'Role', 'Grant', 'Schema', 'Extension', 'DefaultPrivileges', 'User'].flatMap((kind) =>
    conversion.all(kind, object.apiVersion).filter((one) => serverOf(one).name === object.metadata.name),
  );
  const names = [...new Set(users.map((one) => conversion.namespaceOf(one)))].toSorted();
  conversion.note(
    object,
    'namespaces were not kept apart: isolation None keeps that; Namespace, the default, lets each name only what it manages itself',
  );
  return {
    allowedNamespaces: { names: names.length === 0 ? [conversion.options.namespace] : names },
    isolation: 'None',
  };
}

function certificates(conversion: Conversion, object: KubeObject, isOwn: boolean): Fields {
  const config = fieldsOf(specOf(object)['tlsConfig']);
  const ref = (field: string): Fields => fieldsOf(fieldsOf(config[field])['secretRef']);
  const [ca, cert, key] = [ref('caCert'), ref('clientCert'), ref('clientKey')];
  const place = ({ name, namespace }: Fields): Fields => ({ name, ...(isOwn ? {} : { namespace }) });
  if (Object.keys(cert).length > 0 && cert['name'] !== key['name'])
    conversion.lost(object, 'tlsConfig: certificate and key of the client have to be in one Secret');
  return given({
    caSecretRef: Object.keys(ca).length === 0 ? undefined : { ...place(ca), key: ca['key'] },
    clientCertSecretRef:
      Object.keys(cert).length === 0 ? undefined : { ...place(cert), certKey: cert['key'], keyKey: key['key'] },
  });
}
