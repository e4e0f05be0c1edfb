/**
 * Decodes a chunked body (RFC 9112 7.1). Sans-IO and incremental.
 *
 * Strict: sizes are hexadecimal digits only, lines end with CRLF. Chunk extensions and trailer fields are
 * ignored, and both are bounded.
 *
 * @module
 */
import { CR, FIELD_VALUE, LF, TOKEN } from "./characters.ts";
import { badRequest, HttpRefusal } from "./refusal.ts";

/** Limits of a chunked body apart from its data. */
export interface ChunkedLimits {
  /** Total bytes of the chunk extensions of a body. */
  readonly maxChunkExtensionBytes: number;
  /** Total bytes of the trailer fields of a body. */
  readonly maxTrailerBytes: number;
}

/** 12 digits: 2^48 bytes, so that all sums are exact integers. */
const MAX_SIZE_DIGITS = 12;

/** Position in the grammar of RFC 9112 7.1. */
type ChunkPosition =
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer-start"
  | "trailer-name"
  | "trailer"
  | "trailer-lf"
  | "last-lf"
  | "end";

/** Decodes one chunked body. */
export class ChunkedDecoder {
  readonly #limits: ChunkedLimits;
  #place: ChunkPosition = "size";
  #digits = 0;
  #size = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #refusal: HttpRefusal | undefined;

  /** A decoder at the start of the body. */
  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
  }

  /** Data bytes of this chunk not taken yet; if not 0, they come next. */
  get dataLength(): number {
    return this.#place === "data" ? this.#size : 0;
  }

  /** True once the whole body, trailer included, has been read. */
  get ended(): boolean {
    return this.#place === "end";
  }

  /** Why the body is invalid; nothing more is read then. */
  get refusal(): HttpRefusal | undefined {
    return this.#refusal;
  }

  /** Consumes `count` of the `dataLength` bytes. */
  take(count: number): void {
    this.#size -= count;
    if (this.#size === 0) this.#place = "data-cr";
  }

  /**
   * Reads `bytes[start..end)` up to the next data, the end of the body or an error; returns the index
   * reached.
   */
  advance(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#place !== "data" && this.#place !== "end" && !this.#refusal) {
      const next = this.#step(bytes[at++]!);
      if (next instanceof HttpRefusal) this.#refusal = next;
      else this.#place = next;
    }
    return at;
  }

  #step(byte: number): ChunkPosition | HttpRefusal {
    switch (this.#place) {
      case "size":
        return this.#readSize(byte);
      case "extension":
        return this.#readExtension(byte);
      case "size-lf":
        if (byte !== LF) return badLineEnd();
        this.#digits = 0;
        return this.#size === 0 ? "trailer-start" : "data";
      case "data-cr":
        return byte === CR ? "data-lf" : badRequest("chunk data is longer than its size");
      case "data-lf":
        return byte === LF ? "size" : badLineEnd();
      case "trailer-start":
        if (byte === CR) return "last-lf";
        return TOKEN[byte]
          ? this.#readTrailerName(byte)
          : badRequest("a trailer field has no name");
      case "trailer-name":
        return this.#readTrailerName(byte);
      case "trailer":
        return this.#readTrailer(byte);
      case "trailer-lf":
        return byte === LF ? "trailer-start" : badLineEnd();
      case "last-lf":
        return byte === LF ? "end" : badLineEnd();
      default:
        return this.#place;
    }
  }

  #readSize(byte: number): ChunkPosition | HttpRefusal {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) return badRequest("a chunk size has too many digits");
      this.#size = this.#size * 16 + digit;
      return "size";
    }
    if (this.#digits === 0) return badRequest("a chunk does not begin with its size");
    if (byte === CR) return "size-lf";
    return byte === 0x3b ? "extension" : badRequest("a chunk size is not hexadecimal");
  }

  #readExtension(byte: number): ChunkPosition | HttpRefusal {
    if (byte === CR) return "size-lf";
    if (FIELD_VALUE[byte] === 0) return badRequest("a chunk extension has a control character");
    const { maxChunkExtensionBytes } = this.#limits;
    return ++this.#extensionBytes > maxChunkExtensionBytes
      ? badRequest(`chunk extensions are longer than ${maxChunkExtensionBytes} bytes`)
      : "extension";
  }

  #readTrailerName(byte: number): ChunkPosition | HttpRefusal {
    if (byte !== 0x3a && TOKEN[byte] === 0) {
      return badRequest("a trailer field does not begin with a name and a colon"); // RFC 9112 7.1.2
    }
    return this.#countTrailer() ?? (byte === 0x3a ? "trailer" : "trailer-name");
  }

  #readTrailer(byte: number): ChunkPosition | HttpRefusal {
    const excess = this.#countTrailer();
    if (excess) return excess;
    if (byte === CR) return "trailer-lf";
    if (FIELD_VALUE[byte] === 0) return badRequest("a trailer field has a control character");
    return "trailer";
  }

  #countTrailer(): HttpRefusal | undefined {
    const { maxTrailerBytes } = this.#limits;
    if (++this.#trailerBytes <= maxTrailerBytes) return undefined;
    return new HttpRefusal(431, `the trailer fields are longer than ${maxTrailerBytes} bytes`);
  }
}

function badLineEnd(): HttpRefusal {
  return badRequest("lines of a chunked body must end with CRLF");
}

/** The value of a hexadecimal digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
