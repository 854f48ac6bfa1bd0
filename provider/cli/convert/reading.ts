/**
 * Old objects that know which of their fields have been read. What a converter never looked at is in none of the new objects,
 * and that has to be said: a field of another version, a misspelt one, one that nobody has thought of.
 */

interface Tracked {
  /** Keys that were read, of the object itself. */
  read: Set<string>;
  /** Those of its values that are objects, as they were handed out. */
  parts: Map<string, object>;
}

const tracks = new WeakMap<object, Tracked>();

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The same object to look at; what is copied out of it by JSON or by a spread counts as read. */
export function tracked<T extends object>(object: T): T {
  const track: Tracked = { read: new Set(), parts: new Map() };
  const proxy = new Proxy(object, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key !== 'string' || !Object.hasOwn(target, key)) return value;
      track.read.add(key);
      if (!isObject(value)) return value;
      const part = track.parts.get(key) ?? tracked(value);
      track.parts.set(key, part);
      return part;
    },
  });
  tracks.set(proxy, track);
  return proxy;
}

/** Whether any field of it has been read. */
export const isRead = (object: object): boolean => (tracks.get(object)?.read.size ?? 0) > 0;

/** Paths of what has not been read, e.g. `spec.forProvider.binlog`. */
export function unread(object: object, path: string): string[] {
  const track = tracks.get(object);
  if (track === undefined) return [];
  return Object.keys(object).flatMap((key) => {
    const place = Array.isArray(object) ? `${path}[${key}]` : `${path}.${key}`;
    if (!track.read.has(key)) return [place];
    const part = track.parts.get(key);
    return part === undefined ? [] : unread(part, place);
  });
}
