/** Two namespaces on one server that they share. */
import { expect } from 'vitest';
import type { MysqlServerName } from '../rig/servers.ts';
import { type AccountStory, Place } from './planned.ts';

export type Namespace = 'a' | 'b';

/** What a resource of either namespace makes, on one server, and what marks it there. */
export class Tenants {
  readonly place: Place;
  readonly #uids = { a: new Set<string>(), b: new Set<string>() };

  constructor(server: MysqlServerName) {
    this.place = new Place(server);
  }

  login(namespace: Namespace, of: string, spec: object = {}, password = 'secret'): AccountStory {
    return this.#of(namespace, this.place.role(of, spec, password));
  }

  group(namespace: Namespace, of: string, spec: object = {}): AccountStory {
    return this.#of(namespace, this.place.role(of, { ...spec, privileges: { login: false } }));
  }

  database(namespace: Namespace, of: string, spec: object = {}): AccountStory {
    return this.#of(namespace, this.place.database(of, spec));
  }

  /** Roles of MariaDB that stand for marks of a resource. */
  async marksOf(story: AccountStory): Promise<string[]> {
    if (!this.place.isMariadb) return [];
    const rows = await this.place.sql<{ User: string }>(
      `SELECT User FROM mysql.global_priv WHERE User LIKE '%.${story.uid} %'`,
    );
    return rows.map(({ User }) => User);
  }

  #of(namespace: Namespace, story: AccountStory): AccountStory {
    const uids = this.#uids[namespace];
    uids.add(story.uid);
    story.tenant = {
      made: (_, mark) => mark !== undefined && uids.has(mark.uid),
      mayJoin: () => false,
      maySet: () => false,
    };
    return story;
  }
}

/** Any reason for which nothing is sent. */
export const REFUSED = expect.stringMatching(/^(NotYours|AlreadyManaged|AlreadyExists)$/) as string;
