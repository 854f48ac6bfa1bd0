/** What the administrator's ways into the SQL servers of the rig have in common. */
import { readFileSync } from 'node:fs';

/** Everything that is needed to log in; plain data, so that it can be handed from a set-up to the tests. */
export interface ServerAddress {
  /** As the server says it, e.g. "18.4", "9.7.4" or "11.8.9-MariaDB-4". */
  version: string;
  host: string;
  port: number;
  adminUser: string;
  password: string;
  /** PEM file of the authority that the server's certificate comes from, where it has one of ours. */
  caFile?: string;
}

export interface Login {
  name: string;
  password: string;
}

export abstract class ServerClient<Address extends ServerAddress> implements ServerAddress {
  readonly address: Address;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly adminUser: string;
  readonly password: string;
  readonly caFile?: string;

  constructor(address: Address) {
    this.address = address;
    this.version = address.version;
    this.host = address.host;
    this.port = address.port;
    this.adminUser = address.adminUser;
    this.password = address.password;
    if (address.caFile !== undefined) this.caFile = address.caFile;
  }

  protected get admin(): Login {
    return { name: this.adminUser, password: this.password };
  }

  /** The content of `caFile`. */
  protected get ca(): string | undefined {
    return this.caFile === undefined ? undefined : readFileSync(this.caFile, 'utf8');
  }

  protected urlOf(scheme: string, database: string, user: Login): string {
    const login = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`;
    const tls = this.caFile === undefined ? '' : `?sslmode=verify-full&sslrootcert=${encodeURIComponent(this.caFile)}`;
    return `${scheme}://${login}@${this.host}:${this.port}/${encodeURIComponent(database)}${tls}`;
  }
}

/** Reads back what `url` says. `XDB_TEST_…_URL` of a server that somebody else runs has this form. */
export function addressOf(url: string, defaults: { port: number; adminUser: string }): ServerAddress {
  const parsed = new URL(url);
  const caFile = parsed.searchParams.get('sslrootcert') ?? undefined;
  return {
    version: '',
    host: parsed.hostname,
    port: Number(parsed.port || defaults.port),
    adminUser: decodeURIComponent(parsed.username) || defaults.adminUser,
    password: decodeURIComponent(parsed.password),
    ...(caFile === undefined ? {} : { caFile }),
  };
}
