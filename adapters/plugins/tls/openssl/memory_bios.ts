/**
 * Memory between JavaScript and the library.
 *
 * @module
 */
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { OpenSsl, OpenSslFunctions } from "./library.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Ciphertext of 64 KiB of plaintext fits, its records' headers and tags included. */
const OUTPUT_BYTES = 72 * 1024;
const NOTHING: Bytes = new Uint8Array(0);
const BIO_CTRL_RESET = 1;

/**
 * One pair of memory BIOs for all sessions of a thread: input and output of one call, and empty between
 * calls, so that a session keeps no memory for them.
 */
export class MemoryBios {
  readonly #functions: OpenSslFunctions;
  readonly #input: Pointer;
  readonly #output: Pointer;
  #buffer: Bytes = new Uint8Array(OUTPUT_BYTES);

  constructor({ functions }: OpenSsl) {
    this.#functions = functions;
    this.#input = functions.BIO_new(functions.BIO_s_mem());
    this.#output = functions.BIO_new(functions.BIO_s_mem());
  }

  /** Connects a session; it frees its references when it is freed. */
  connect(ssl: Pointer): void {
    this.#functions.BIO_up_ref(this.#input);
    this.#functions.BIO_up_ref(this.#output);
    this.#functions.SSL_set_bio(ssl, this.#input, this.#output);
  }

  /** Puts ciphertext where the session of the next call finds it. */
  feed(bytes: Uint8Array): void {
    this.#functions.BIO_write(this.#input, bytes, bytes.length);
  }

  /** Whether the session has left ciphertext. */
  get hasInput(): boolean {
    return this.#functions.BIO_ctrl_pending(this.#input) > 0;
  }

  /** Drops what is left, so that it never reaches another session. */
  reset(): void {
    this.#functions.BIO_ctrl(this.#input, BIO_CTRL_RESET, 0, null);
    this.#functions.BIO_ctrl(this.#output, BIO_CTRL_RESET, 0, null);
  }

  /** What the session has to send; valid until the next call. */
  drain(): Bytes {
    const size = this.#functions.BIO_ctrl_pending(this.#output);
    if (size <= 0) return NOTHING;
    // A chain of many certificates; no handshake is larger than a few of them.
    const target = size <= OUTPUT_BYTES ? this.#buffer : new Uint8Array(size);
    const count = this.#functions.BIO_read(this.#output, target, size);
    return target.subarray(0, count);
  }

  /** A copy of what `write` writes into the output, such as a certificate. */
  capture(write: (output: Pointer) => void): Bytes {
    write(this.#output);
    return this.drain().slice();
  }
}
