/**
 * Joins the pieces of a response, so that a head and small content are one write.
 *
 * @module
 */
import { bytesOf, putText } from "../shared/http/characters.ts";

/**
 * Writes ASCII text, `data` and ASCII text: in one call of `write` if they are small, otherwise without a
 * copy of `data`. `write` returns `undefined` if there is room for more; it has then finished reading its
 * argument.
 */
export function writeJoined(
  write: (bytes: Uint8Array) => Promise<void> | undefined,
  prefix: string,
  data: Uint8Array,
  suffix: string,
): Promise<void> | undefined {
  if (prefix === "" && suffix === "") return write(data);
  const length = prefix.length + data.length + suffix.length;
  if (length > SMALL) return writeEach(write, prefix, data, suffix);
  const buffer = spare ?? new Uint8Array(SMALL);
  spare = undefined;
  const waiting = write(firstBytes(joined(buffer, prefix, data, suffix), length));
  if (waiting === undefined) spare = buffer;
  return waiting;
}

/** {@link writeJoined} of a head that is encoded already, and content. */
export function writeHeadAnd(
  write: (bytes: Uint8Array) => Promise<void> | undefined,
  head: Uint8Array,
  data: Uint8Array,
): Promise<void> | undefined {
  const length = head.length + data.length;
  if (length > SMALL) {
    const waiting = write(head);
    return waiting === undefined ? write(data) : waiting.then(() => write(data));
  }
  const buffer = spare ?? new Uint8Array(SMALL);
  spare = undefined;
  buffer.set(head);
  buffer.set(data, head.length);
  const waiting = write(firstBytes(buffer, length));
  if (waiting === undefined) spare = buffer;
  return waiting;
}

function writeEach(
  write: (bytes: Uint8Array) => Promise<void> | undefined,
  prefix: string,
  data: Uint8Array,
  suffix: string,
): Promise<void> | undefined {
  const parts = [bytesOf(prefix), data, bytesOf(suffix)].filter(({ length }) => length > 0);
  for (const [index, part] of parts.entries()) {
    const waiting = write(part);
    const rest = parts.slice(index + 1);
    if (waiting === undefined) continue;
    return rest.length === 0 ? waiting : waiting.then(() => writeAll(write, rest));
  }
  return undefined;
}

async function writeAll(
  write: (bytes: Uint8Array) => Promise<void> | undefined,
  parts: readonly Uint8Array[],
): Promise<void> {
  for (const part of parts) await write(part);
}

/** Copies the pieces into `buffer`, one after the other. */
function joined(
  buffer: Uint8Array<ArrayBuffer>,
  prefix: string,
  data: Uint8Array,
  suffix: string,
): Uint8Array<ArrayBuffer> {
  if (data.length === 0) {
    putText(buffer, 0, prefix + suffix);
    return buffer;
  }
  const at = putText(buffer, 0, prefix);
  buffer.set(data, at);
  putText(buffer, at + data.length, suffix);
  return buffer;
}

/** Reuses the last view: small responses often have the same length as the one before. */
function firstBytes(buffer: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (lastView.buffer !== buffer.buffer || lastView.length !== length) {
    lastView = buffer.subarray(0, length);
  }
  return lastView;
}

/** Size of the buffer in which small pieces are joined: a record of TLS (RFC 8446 5.1) and a head. */
const SMALL = 16_384 + 1024;
/** That buffer, while it is not in use. */
let spare: Uint8Array<ArrayBuffer> | undefined;
let lastView = new Uint8Array(0);
