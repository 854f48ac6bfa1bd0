import type { RequestOf } from '../backup/contract.ts';
import { formats } from '../backup/dumps/formats.ts';
import type { TableRows } from '../backup/manifest.ts';
import { Meeting } from './meeting.ts';
import type { Outcome } from './outcome.ts';
import type { RunContext } from './progress.ts';

/** Streams a dump into a load. The load learns that it has all only after the dump tool ended well. */
export async function copy(request: RequestOf<'copy'>, { signal, onProgress }: RunContext): Promise<Outcome> {
  const from = new Meeting(request.from.folder);
  const to = new Meeting(request.to.folder);
  const format = formats[request.engine];
  const reader = format.reader(request.countRows);
  let size = 0;
  let rows: TableRows | undefined;
  const dump = async function* (): AsyncIterable<Buffer> {
    for await (const part of from.dump(signal)) {
      size += part.length;
      reader.update(part);
      onProgress({ phase: 'copying', bytes: size });
      yield part;
    }
    rows = reader.end();
  };
  try {
    onProgress({ phase: 'waiting', bytes: 0 });
    await Promise.all([from.join(signal), to.join(signal)]);
    const { body, entries, skipped } = await format.loadable(dump());
    if (entries !== undefined) await to.choose(entries);
    await to.load(body, signal);
    const counted = await to.rows();
    return {
      loaded: { size, ...(rows === undefined ? {} : { rows: rows.total }) },
      ...(counted === undefined ? {} : { countedRows: counted.reduce((sum, table) => sum + table.rows, 0) }),
      ...(skipped.length === 0 ? {} : { skipped }),
    };
  } finally {
    from.leave();
    to.leave();
  }
}
