/**
 * Joins the pieces of a response, so that a head and small content are one write.
 *
 * @module
 */
import { putText } from "../shared/http/characters.ts";

/**
 * Writes ASCII text, `data` and ASCII text in one call of `write`. `write` returns `undefined` if there is
 * room for more, and then does not read from its argument any more.
 */
export function writeJoined(
  write: (bytes: Uint8Array) => Promise<void> | undefined,
  prefix: string,
  data: Uint8Array,
  suffix: string,
): Promise<void> | undefined {
  if (prefix === "" && suffix === "") return write(data);
  const length = prefix.length + data.length + suffix.length;
  if (length > SMALL) return write(joined(new Uint8Array(length), prefix, data, suffix));
  const buffer = spare ?? new Uint8Array(SMALL);
  spare = undefined;
  const waiting = write(firstBytes(joined(buffer, prefix, data, suffix), length));
  if (waiting === undefined) spare = buffer;
  return waiting;
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

/** Size of the buffer in which small pieces are joined. */
const SMALL = 2048;
/** That buffer, while it is not in use. */
let spare: Uint8Array<ArrayBuffer> | undefined;
let lastView = new Uint8Array(0);
