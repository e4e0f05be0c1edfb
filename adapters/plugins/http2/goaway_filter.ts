/**
 * A client's HTTP/2 without its GOAWAY frames (RFC 9113 6.8).
 *
 * @module
 */
type Bytes = Uint8Array<ArrayBuffer>;

/** RFC 9113 3.4: what comes before the first frame. */
const PREFACE_BYTES = 24;

const FRAME_HEADER_BYTES = 9;

/** A frame begins with its length, 24 bits, and its type (RFC 9113 4.1). */
const LENGTH_AND_TYPE_BYTES = 4;

const GOAWAY = 7;

/**
 * Removes GOAWAY frames: `node:http2` of Deno may abort the process when it receives one
 * (denoland/deno#36788). Holds back three bytes at most, until it knows a frame's type.
 */
export class GoawayFilter {
  readonly #start = new Uint8Array(LENGTH_AND_TYPE_BYTES);
  /** Bytes of the next frame that have been held back. */
  #held = 0;
  /** Bytes before the next frame begins. */
  #left = PREFACE_BYTES;
  #isDropping = false;
  #hasSeenGoaway = false;

  /** Whether the client has sent a GOAWAY frame. */
  get hasSeenGoaway(): boolean {
    return this.#hasSeenGoaway;
  }

  /** Takes the client's next bytes; returns what is to be passed on, as views of `chunk`. */
  filter(chunk: Bytes): Bytes[] {
    const passed: Bytes[] = [];
    let from = 0;
    let at = 0;
    const passUntilHere = () => {
      if (at > from && !this.#isDropping) passed.push(chunk.subarray(from, at));
      from = at;
    };
    while (at < chunk.length) {
      if (this.#left > 0) {
        const count = Math.min(this.#left, chunk.length - at);
        this.#left -= count;
        at += count;
      } else if (this.#held === 0 && chunk.length - at >= LENGTH_AND_TYPE_BYTES) {
        const isGoaway = chunk[at + 3] === GOAWAY;
        if (isGoaway || this.#isDropping) passUntilHere();
        this.#begin(chunk, at);
        this.#left = FRAME_HEADER_BYTES + payloadBytes(chunk, at);
      } else {
        if (this.#held === 0) passUntilHere();
        this.#start[this.#held++] = chunk[at++]!;
        from = at;
        if (this.#held === LENGTH_AND_TYPE_BYTES) passed.push(...this.#release());
      }
    }
    passUntilHere();
    return passed;
  }

  #release(): Bytes[] {
    this.#held = 0;
    this.#begin(this.#start, 0);
    this.#left = FRAME_HEADER_BYTES - LENGTH_AND_TYPE_BYTES + payloadBytes(this.#start, 0);
    return this.#isDropping ? [] : [this.#start.slice()];
  }

  #begin(bytes: Bytes, at: number): void {
    this.#isDropping = bytes[at + 3] === GOAWAY;
    this.#hasSeenGoaway ||= this.#isDropping;
  }
}

function payloadBytes(bytes: Bytes, at: number): number {
  return bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
}
