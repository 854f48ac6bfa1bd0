/** How databases, roles and Secrets are called, by the templates of the platform. */
import type { Input } from './input.ts';

export interface Naming {
  database: string;
  username: string;
  secret: string;
}

const USUAL: Naming = { database: '{name}', username: '{database}_{role}', secret: '{name}-{role}' };

export const namingOf = ({ naming }: Input): Naming => ({
  database: naming?.database ?? USUAL.database,
  username: naming?.username ?? USUAL.username,
  secret: naming?.secret ?? USUAL.secret,
});

export interface NameParts {
  name: string;
  namespace: string;
  engine: string;
  className?: string | undefined;
  database?: string;
  role?: string;
}

/** @param where On a server - and . are awkward, as they must be quoted in SQL; in Kubernetes _ is not allowed. */
export function filled(template: string, parts: NameParts, where: 'name on the server' | 'name in Kubernetes'): string {
  const values: Record<string, string | undefined> = { ...parts, class: parts.className };
  const onServer = where === 'name on the server';
  return template.replaceAll(/\{([a-z]+)\}/g, (_, part: string) => {
    const value = values[part] ?? '';
    // The name of the database was given as it is.
    if (part === 'database' && onServer) return value;
    return onServer ? value.replaceAll(/[-.]/g, '_') : value.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-');
  });
}
