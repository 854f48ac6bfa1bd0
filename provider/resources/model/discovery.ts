/** What there is on a server, made by anybody: what `xdb import` reads. */
import type { Grantee, ObjectTarget } from './objects.ts';
import type { DefaultPrivilegesQuery } from './privileges.ts';

/** Privileges that one grantee holds on one object. */
export interface FoundRight {
  on: ObjectTarget;
  to: Grantee;
  privileges: string[];
  withOption: boolean;
  /** Of PUBLIC: what it has is not what the server gives by default, so that the rest has to be taken away. */
  exclusive: boolean;
}

export interface FoundDefault extends Pick<DefaultPrivilegesQuery, 'creator' | 'grantee' | 'objectType' | 'schema'> {
  privileges: string[];
  withOption: boolean;
}

/** What there is on a server, by name; the rest is read by the kinds of reads. */
export interface Discovery {
  roles: { name: string; host?: string }[];
  databases: {
    name: string;
    schemas: string[];
    extensions: { name: string; schema: string }[];
    rights: FoundRight[];
    defaults: FoundDefault[];
  }[];
  /** On what belongs to no database. */
  rights: FoundRight[];
  /** Databases that the administrator may not look into, and why. */
  unread?: { name: string; why: string }[];
}
