/**
 * Messages about moves between the processes of a service. They are sent in parts, because a record may be larger
 * than a message of the socket. Descriptors come with the first part.
 *
 * @module
 */
import { MAX_FRAME_BYTES } from "../moves/sealed_channel.ts";
import { KIND } from "./messages.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Kind, flags, two bytes of padding, the number of the connection. */
const HEADER = 8;
/** Maximum number of bytes of the message in a part. A redirected packet always fits into one part. */
const PART_BYTES = 96 * 1024;
/** Maximum size of a message. */
export const MAX_MOVE_BYTES: number = MAX_FRAME_BYTES;
const FIRST = 1;
const LAST = 2;

/** The parts of a message about the connection `id`. */
export function* partsOf(id: number, message: Uint8Array): Generator<Bytes> {
  for (let at = 0; at === 0 || at < message.length; at += PART_BYTES) {
    const piece = message.subarray(at, at + PART_BYTES);
    const part = new Uint8Array(HEADER + piece.length);
    part[0] = KIND.MOVE;
    part[1] = (at === 0 ? FIRST : 0) | (at + PART_BYTES >= message.length ? LAST : 0);
    new DataView(part.buffer).setUint32(4, id, true);
    part.set(piece, HEADER);
    yield part;
  }
}

/** A message whose parts have all arrived. */
export interface WholeMessage {
  readonly id: number;
  /** The message; `undefined` if another process has read some of its parts. */
  readonly bytes: Uint8Array | undefined;
  /** The descriptors, which belong to the caller. */
  readonly descriptors: readonly number[];
}

/** Joins the parts that arrive in one channel. */
export class MovePartReader {
  readonly #close: (descriptors: readonly number[]) => void;
  #parts: Bytes[] | undefined;
  #size = 0;
  #descriptors: readonly number[] = [];

  /** `close` closes descriptors of messages that are dropped. */
  constructor(close: (descriptors: readonly number[]) => void) {
    this.#close = close;
  }

  /** Takes a part; returns the message if it is the last one. The part may be reused afterwards. */
  take(part: Bytes, descriptors: readonly number[]): WholeMessage | undefined {
    if (part.length < HEADER) {
      this.#close(descriptors);
      return undefined;
    }
    const flags = part[1]!;
    const id = new DataView(part.buffer, part.byteOffset).getUint32(4, true);
    if (flags & FIRST) {
      this.drop();
      this.#parts = [];
      this.#descriptors = descriptors;
    } else this.#close(descriptors);
    const isWhole = this.#add(part.slice(HEADER));
    if ((flags & LAST) === 0) return undefined;
    const message: WholeMessage = {
      id,
      bytes: isWhole ? joined(this.#parts!, this.#size) : undefined,
      descriptors: this.#descriptors,
    };
    this.#descriptors = [];
    this.drop();
    return message;
  }

  /** Drops the parts that have arrived, because the rest will not arrive, or another process reads it. */
  drop(): void {
    this.#close(this.#descriptors);
    this.#descriptors = [];
    this.#parts = undefined;
    this.#size = 0;
  }

  /** Adds a part; returns false if the message cannot become complete. */
  #add(piece: Bytes): boolean {
    this.#size += piece.length;
    if (this.#size > MAX_MOVE_BYTES) this.drop();
    this.#parts?.push(piece);
    return this.#parts !== undefined;
  }
}

function joined(parts: readonly Bytes[], size: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
