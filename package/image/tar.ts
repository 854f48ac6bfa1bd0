/** Tar archives that are the same whenever they are made of the same: no times, no owners, in the order of names. */

export type Entry =
  | { path: string; type: 'folder'; mode?: number }
  | { path: string; type: 'file'; content: Buffer; mode?: number }
  | { path: string; type: 'link'; target: string };

const BLOCK = 512;

/** A field of a header: text, padded with zeros. */
function text(header: Buffer, at: number, length: number, value: string): void {
  if (Buffer.byteLength(value) > length) throw new Error(`${JSON.stringify(value)} does not fit into a tar header`);
  header.write(value, at, length, 'utf8');
}

const octal = (header: Buffer, at: number, length: number, value: number): void => {
  text(header, at, length, `${value.toString(8).padStart(length - 1, '0')}\0`);
};

/** A path of more than 100 bytes is divided at a slash. */
function divided(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  const at = path.lastIndexOf('/', path.length - 2);
  return { name: path.slice(at + 1), prefix: path.slice(0, at) };
}

function headerOf(entry: Entry): Buffer {
  const header = Buffer.alloc(BLOCK);
  const { name, prefix } = divided(entry.type === 'folder' ? `${entry.path}/` : entry.path);
  const size = entry.type === 'file' ? entry.content.length : 0;
  const usual = { folder: 0o755, file: 0o644, link: 0o777 }[entry.type];
  text(header, 0, 100, name);
  octal(header, 100, 8, ('mode' in entry ? entry.mode : undefined) ?? usual);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  octal(header, 124, 12, size);
  octal(header, 136, 12, 0);
  header.write(' '.repeat(8), 148);
  text(header, 156, 1, { file: '0', link: '2', folder: '5' }[entry.type]);
  if (entry.type === 'link') text(header, 157, 100, entry.target);
  text(header, 257, 8, 'ustar\u000000');
  text(header, 345, 155, prefix);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Folders above an entry need not be given. */
export function tar(entries: readonly Entry[]): Buffer {
  const all = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries)
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at);
      if (!all.has(folder)) all.set(folder, { path: folder, type: 'folder' });
    }
  const parts: Buffer[] = [];
  for (const entry of [...all.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    parts.push(headerOf(entry));
    if (entry.type !== 'file') continue;
    parts.push(entry.content, Buffer.alloc((BLOCK - (entry.content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
