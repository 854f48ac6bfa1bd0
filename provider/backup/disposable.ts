/**
 * Buffers whose memory goes as soon as they are used up. V8 lets a hundred megabytes of dead buffers pile up before it looks
 * for them, as they lie outside of its heap; in a pipeline all of them pass by one after the other and are seen once.
 */
const disposables = new WeakSet<ArrayBufferLike>();

/**
 * Marks all of a buffer's memory as having no other user than whoever the buffer, or views of it in their order, is given to.
 * Short pieces that Node joins lie in a pool, with whatever else is short: those stay as they are.
 */
export function disposable(piece: Buffer): Buffer {
  const { buffer, length } = piece;
  if (length === buffer.byteLength || buffer.byteLength > Buffer.poolSize) disposables.add(buffer);
  return piece;
}

/** Says that a piece was used up. Its memory goes if it was marked and this was the last of it; other buffers stay as they are. */
export function dispose(piece: Buffer): void {
  const { buffer, byteOffset, length } = piece;
  if (buffer instanceof ArrayBuffer && byteOffset + length === buffer.byteLength && disposables.has(buffer))
    buffer.transfer(0);
}
