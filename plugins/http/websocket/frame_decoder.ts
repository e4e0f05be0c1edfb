/**
 * Decodes the frames of a WebSocket client into messages (RFC 6455 5). Sans-IO and incremental.
 *
 * @module
 */
import { INVALID_DATA, maySend, NO_STATUS, PROTOCOL_ERROR, TOO_BIG } from "./close_code.ts";
import { OPCODE } from "./frame_encoder.ts";

/** Receives what a decoder has read. */
export interface FrameSink {
  /** A complete text message. */
  onText(text: string): void;
  /** A complete binary message; the receiver owns the array. */
  onBinary(bytes: Uint8Array<ArrayBuffer>): void;
  /** A Ping; `payload` is valid during the call. */
  onPing(payload: Uint8Array): void;
  /** A Pong. */
  onPong(): void;
  /** The peer's Close; 1005 if it has no code. Nothing is read after it. */
  onClose(code: number, reason: string): void;
}

/** A protocol error of the peer. */
export interface FrameFault {
  /** The code of the Close that answers it. */
  readonly code: number;
  /** The error, as text. */
  readonly reason: string;
}

const MAX_CONTROL_PAYLOAD = 125;

/** Decodes one connection. */
export class FrameDecoder {
  readonly #maxMessageBytes: number;
  readonly #sink: FrameSink;
  /** The current data message: its opcode, and the part that has arrived. */
  #messageOpcode: number = OPCODE.continuation;
  #message: Payload = new Payload();
  #control: Payload = new Payload();
  /** The current frame. */
  #opcode = 0;
  #final = false;
  #remaining = 0;
  #inPayload = false;
  /** The masking key, whose lowest byte is the next to use. */
  #key = 0;
  #closed = false;
  #fault: FrameFault | undefined;

  /** A message above `maxMessageBytes` is an error before it is stored. */
  constructor(maxMessageBytes: number, sink: FrameSink) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#sink = sink;
  }

  /** The error, after which nothing more is read. */
  get fault(): FrameFault | undefined {
    return this.#fault;
  }

  /** Between two messages; the beginning of a header may have arrived. */
  get isAtRest(): boolean {
    return !this.#inPayload && this.#messageOpcode === OPCODE.continuation && !this.#closed &&
      this.#fault === undefined;
  }

  /** Bytes of the current frame's payload that have not arrived. */
  get remaining(): number {
    return this.#remaining;
  }

  /**
   * Decodes `bytes[start..end)`, calling the sink; returns the index reached. The rest is the beginning of a frame
   * header: pass it again, followed by more bytes. Unmasks payloads in place.
   */
  decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.#fault && !this.#closed) {
      if (!this.#inPayload) {
        const next = this.#readHeader(bytes, at, end);
        if (next === at) break;
        at = next;
      }
      if (at === end && this.#remaining > 0) break;
      at = this.#readPayload(bytes, at, end);
    }
    return at;
  }

  #readHeader(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 2) return start;
    const first = bytes[start]!;
    const second = bytes[start + 1]!;
    const lengthBits = second & 0x7f;
    const lengthBytes = lengthBits < 126 ? 0 : lengthBits === 126 ? 2 : 8;
    const headerEnd = start + 2 + lengthBytes + 4;
    const broken = headerFault(first, second) ?? this.#sequenceFault(first & 0x0f);
    if (broken !== undefined) return this.#fail(PROTOCOL_ERROR, broken, start);
    if (end < headerEnd) return start;

    const length = lengthBytes === 0 ? lengthBits : readLength(bytes, start + 2, lengthBytes);
    if (length === undefined) return this.#fail(PROTOCOL_ERROR, "a length is not minimal", start);
    this.#opcode = first & 0x0f;
    this.#final = (first & 0x80) !== 0;
    if (!isControl(this.#opcode)) {
      if (this.#opcode !== OPCODE.continuation) this.#messageOpcode = this.#opcode;
      if (this.#message.length + length > this.#maxMessageBytes) {
        const reason = `a message is longer than ${this.#maxMessageBytes} bytes`;
        return this.#fail(TOO_BIG, reason, start);
      }
    }
    this.#key = readKey(bytes, headerEnd - 4);
    this.#remaining = length;
    this.#inPayload = true;
    return headerEnd;
  }

  /** RFC 6455 5.4: continuations follow their message, with no other data frame in between. */
  #sequenceFault(opcode: number): string | undefined {
    if (isControl(opcode)) return undefined;
    const continues = opcode === OPCODE.continuation;
    if (continues === (this.#messageOpcode !== OPCODE.continuation)) return undefined;
    return continues ? "a continuation without a message" : "a message within a message";
  }

  #readPayload(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(this.#remaining, end - start);
    const payloadEnd = start + count;
    unmask(bytes, start, payloadEnd, this.#key);
    const isWhole = count === this.#remaining && this.#final && !isControl(this.#opcode) &&
      this.#message.length === 0;
    if (isWhole) {
      this.#remaining = 0;
      this.#inPayload = false;
      this.#deliverMessage(bytes, start, payloadEnd);
      return payloadEnd;
    }
    const payload = isControl(this.#opcode) ? this.#control : this.#message;
    payload.append(bytes, start, payloadEnd);
    this.#key = rotate(this.#key, count);
    this.#remaining -= count;
    if (this.#remaining === 0) this.#endFrame();
    return payloadEnd;
  }

  /** Delivers a message that is in the caller's array. */
  #deliverMessage(bytes: Uint8Array, start: number, end: number): void {
    const opcode = this.#messageOpcode;
    this.#messageOpcode = OPCODE.continuation;
    if (opcode === OPCODE.binary) this.#sink.onBinary(copyOf(bytes, start, end));
    else this.#deliverText(bytes.subarray(start, end));
  }

  #deliverText(bytes: Uint8Array): void {
    const text = textOf(bytes);
    if (text === undefined) this.#fail(INVALID_DATA, "a text message is not UTF-8");
    else this.#sink.onText(text);
  }

  #endFrame(): void {
    this.#inPayload = false;
    if (isControl(this.#opcode)) {
      this.#deliverControl(this.#control.view());
      this.#control.clear();
    } else if (this.#final) {
      const opcode = this.#messageOpcode;
      this.#messageOpcode = OPCODE.continuation;
      const message = this.#message.release();
      if (opcode === OPCODE.binary) this.#sink.onBinary(message);
      else this.#deliverText(message);
    }
  }

  #deliverControl(payload: Uint8Array): void {
    if (this.#opcode === OPCODE.ping) return this.#sink.onPing(payload);
    if (this.#opcode === OPCODE.pong) return this.#sink.onPong();
    if (payload.length === 0) return this.#close(NO_STATUS, "");
    if (payload.length === 1) return void this.#fail(PROTOCOL_ERROR, "an incomplete close code");
    const code = payload[0]! * 256 + payload[1]!;
    const reason = textOf(payload.subarray(2));
    if (!maySend(code)) this.#fail(PROTOCOL_ERROR, "an invalid close code");
    else if (reason === undefined) this.#fail(INVALID_DATA, "a close reason is not UTF-8");
    else this.#close(code, reason);
  }

  #close(code: number, reason: string): void {
    this.#closed = true;
    this.#sink.onClose(code, reason);
  }

  #fail(code: number, reason: string, at = 0): number {
    this.#fault = { code, reason };
    return at;
  }
}

/** Errors of a single header (RFC 6455 5.2, 5.5). */
function headerFault(first: number, second: number): string | undefined {
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) return "reserved bits without an extension";
  if (opcode > OPCODE.pong || (opcode > OPCODE.binary && opcode < OPCODE.close)) {
    return "an unknown opcode";
  }
  if ((second & 0x80) === 0) return "a client's frame is not masked"; // RFC 6455 5.1
  if (!isControl(opcode)) return undefined;
  if ((first & 0x80) === 0) return "a control frame is fragmented";
  if ((second & 0x7f) > MAX_CONTROL_PAYLOAD) return "a control frame is too long";
  return undefined;
}

/** A length of 2 or 8 bytes; `undefined` if it is not minimal or above 2^53. */
function readLength(bytes: Uint8Array, at: number, size: number): number | undefined {
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + bytes[at + i]!;
  const minimal = length >= (size === 2 ? 126 : 65_536);
  return minimal && Number.isSafeInteger(length) ? length : undefined;
}

function readKey(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

/** The key for the bytes after `count` others (RFC 6455 5.3). */
function rotate(key: number, count: number): number {
  const bits = (count & 3) * 8;
  return bits === 0 ? key : key >>> bits | key << 32 - bits;
}

/** From this length on, creating a view for 32-bit words costs less than it saves. */
const MIN_WORDS_BYTES = 256;

/** Unmasks `bytes[start..end)` in place (RFC 6455 5.3). */
function unmask(bytes: Uint8Array, start: number, end: number, key: number): void {
  let at = start;
  if (end - start >= MIN_WORDS_BYTES) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    for (; at + 4 <= end; at += 4) view.setInt32(at, view.getInt32(at, true) ^ key, true);
  }
  for (let bits = 0; at < end; at++, bits = (bits + 8) & 31) bytes[at]! ^= key >>> bits;
}

function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A copy in an array whose buffer holds nothing else. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}

const NO_BYTES = new Uint8Array(0);

/** Unmasked bytes, in an array that grows as they arrive. */
class Payload {
  #bytes = NO_BYTES;
  length = 0;

  append(source: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start;
    this.#reserve(length);
    this.#bytes.set(source.subarray(start, end), this.length);
    this.length = length;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  /** The bytes in an array that is not used here any more. */
  release(): Uint8Array<ArrayBuffer> {
    const isAll = this.length > 0 && this.length === this.#bytes.length;
    const bytes = isAll ? this.#bytes : this.#bytes.slice(0, this.length);
    this.#bytes = NO_BYTES;
    this.length = 0;
    return bytes;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }
}
