/**
 * The send queue of a WebSocket.
 *
 * @module
 */
import type { UpgradedSocket } from "../../shared/http/upgrade.ts";
import { headerLength, MAX_HEADER_BYTES, OPCODE, putFrame, putTextFrame } from "./frame_encoder.ts";

/** Frames are collected in arrays of this size; a larger frame has an array of its own. */
const CHUNK_BYTES = 16_384;
/** Longer text is encoded before it is framed: up to three bytes a character have to fit. */
const MAX_DIRECT_TEXT = 4096;

const NO_CHUNK = new Uint8Array(0);

/** The array that the next turn of any WebSocket fills; a socket has copied it when `tryWrite` returns. */
let spareChunk: Uint8Array<ArrayBuffer> | undefined;

/**
 * Frames messages into an array that is written once: at the end of the turn, or at {@link release} after {@link hold}.
 * What the socket does not accept at once waits here, up to a limit.
 */
export class SendQueue {
  readonly #socket: Pick<UpgradedSocket, "tryWrite">;
  readonly #write: (bytes: Uint8Array) => Promise<unknown>;
  readonly #maxBytes: number;
  /** The frames of this turn: `#chunk[0..#length)`. */
  #chunk: Uint8Array<ArrayBuffer> = NO_CHUNK;
  #length = 0;
  /** Frames that wait for a pending write. */
  #waiting: Uint8Array[] = [];
  /** Bytes in `#waiting` and in the pending write. */
  #waitingBytes = 0;
  #isWriting = false;
  #isHeld = false;
  #isFlushQueued = false;
  #progress: (() => void)[] = [];

  /** A queue of at most `maxBytes`. `write` is called with what `tryWrite` has not accepted. */
  constructor(
    socket: Pick<UpgradedSocket, "tryWrite">,
    write: (bytes: Uint8Array) => Promise<unknown>,
    maxBytes: number,
  ) {
    this.#socket = socket;
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** Bytes in the queue. */
  get bytes(): number {
    return this.#waitingBytes + this.#length;
  }

  /** Adds a text message; false: there is no room. */
  putText(text: string): boolean {
    const most = MAX_HEADER_BYTES + 3 * text.length;
    if (text.length > MAX_DIRECT_TEXT || this.bytes + most > this.#maxBytes) {
      return this.put(OPCODE.text, encoder.encode(text));
    }
    this.#reserve(most);
    this.#length = putTextFrame(this.#chunk, this.#length, text);
    this.#flushSoon();
    return true;
  }

  /** Adds a frame; false: there is no room. */
  put(opcode: number, payload: Uint8Array): boolean {
    const size = headerLength(payload.length) + payload.length;
    if (this.bytes + size > this.#maxBytes) this.#flush();
    if (this.bytes + size > this.#maxBytes) return false;
    this.#reserve(size);
    this.#length = putFrame(this.#chunk, this.#length, opcode, payload);
    this.#flushSoon();
    return true;
  }

  /** Writes nothing until {@link release}, so that the answers to one read are one write. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends {@link hold}, and writes. */
  release(): void {
    this.#isHeld = false;
    this.#flush();
  }

  /** Resolves when at most `bytes` are queued, or the connection broke. */
  async drained(bytes: number): Promise<void> {
    this.#flush();
    while (this.bytes > bytes) {
      await new Promise<void>((resolve) => this.#progress.push(resolve));
    }
  }

  /** Makes room for `size` bytes in the chunk. */
  #reserve(size: number): void {
    if (this.#length + size <= this.#chunk.length) return;
    this.#flush();
    if (this.#length > 0) this.#waiting.push(this.#takeFrames());
    this.#chunk = size <= CHUNK_BYTES ? takeChunk() : new Uint8Array(size);
  }

  #flushSoon(): void {
    if (this.#isHeld || this.#isWriting || this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    queueMicrotask(() => {
      this.#isFlushQueued = false;
      this.#flush();
    });
  }

  /** Writes what the socket accepts at once, and the rest when there is room. */
  #flush(): void {
    if (this.#isWriting || this.#length === 0) return;
    const chunk = this.#chunk;
    const frames = chunk.subarray(0, this.#length);
    const accepted = this.#socket.tryWrite(frames);
    if (accepted < frames.length) {
      this.#takeFrames();
      void this.#writeRest(frames.subarray(accepted));
    } else {
      this.#length = 0;
      this.#chunk = NO_CHUNK;
      if (chunk.length === CHUNK_BYTES) spareChunk = chunk;
    }
  }

  /** Takes the frames out of the chunk, together with its array. */
  #takeFrames(): Uint8Array {
    const frames = this.#chunk.subarray(0, this.#length);
    this.#waitingBytes += frames.length;
    this.#chunk = NO_CHUNK;
    this.#length = 0;
    return frames;
  }

  async #writeRest(rest: Uint8Array): Promise<void> {
    this.#isWriting = true;
    this.#waitingBytes = rest.length;
    try {
      for (let next: Uint8Array | undefined = rest; next; next = this.#waiting.shift()) {
        await this.#write(next);
        this.#waitingBytes -= next.length;
        this.#tellProgress();
      }
    } catch {
      // The connection broke; the reader gets the error.
      this.#waiting = [];
      this.#waitingBytes = this.#length = 0;
      this.#tellProgress();
    }
    this.#isWriting = false;
    this.#flush();
  }

  #tellProgress(): void {
    const waiting = this.#progress;
    this.#progress = [];
    for (const resolve of waiting) resolve();
  }
}

const encoder = new TextEncoder();

function takeChunk(): Uint8Array<ArrayBuffer> {
  const chunk = spareChunk ?? new Uint8Array(CHUNK_BYTES);
  spareChunk = undefined;
  return chunk;
}
