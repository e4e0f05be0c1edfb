/**
 * Memory BIOs between JavaScript and the library.
 *
 * @module
 */
import { concatenate } from "../../../../core/wire/bytes.ts";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { OpenSsl, OpenSslFunctions } from "./library.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Room for the ciphertext of 64 KiB of plaintext, with record headers and tags. */
const OUTPUT_BYTES = 72 * 1024;
const NOTHING: Bytes = new Uint8Array(0);
const BIO_CTRL_RESET = 1;

/**
 * One pair of memory BIOs, shared by all sessions of a thread so that a session needs none of its own.
 * They hold the input and output of one call, and are empty between calls.
 */
export class MemoryBios {
  readonly #functions: OpenSslFunctions;
  readonly #input: Pointer;
  readonly #output: Pointer;
  readonly #buffer: Bytes = new Uint8Array(OUTPUT_BYTES);
  /** The part of `#buffer` that the last call has filled. */
  #drained: Bytes = NOTHING;

  constructor({ functions }: OpenSsl) {
    this.#functions = functions;
    this.#input = functions.BIO_new(functions.BIO_s_mem());
    this.#output = functions.BIO_new(functions.BIO_s_mem());
  }

  /** Attaches the BIOs to a session, which drops its references when it is freed. */
  connect(ssl: Pointer): void {
    this.#functions.BIO_up_ref(this.#input);
    this.#functions.BIO_up_ref(this.#output);
    this.#functions.SSL_set_bio(ssl, this.#input, this.#output);
  }

  /** Adds ciphertext for the session of the next call. */
  feed(bytes: Uint8Array): void {
    this.#functions.BIO_write(this.#input, bytes, bytes.length);
  }

  /** Number of bytes of output. */
  get pending(): number {
    return this.#functions.BIO_ctrl_pending(this.#output);
  }

  /** Moves output to `target`; returns the number of bytes. */
  readonly read = (target: Uint8Array): number =>
    Math.max(0, this.#functions.BIO_read(this.#output, target, target.length));

  /** Whether the session has left ciphertext unread. */
  get hasInput(): boolean {
    return this.#functions.BIO_ctrl_pending(this.#input) > 0;
  }

  /** Drops what is left, so that it never reaches another session. */
  reset(): void {
    this.#functions.BIO_ctrl(this.#input, BIO_CTRL_RESET, 0, null);
    this.#functions.BIO_ctrl(this.#output, BIO_CTRL_RESET, 0, null);
  }

  /** The output of the session; valid until the next call. */
  drain(): Bytes {
    const count = this.#functions.BIO_read(this.#output, this.#buffer, OUTPUT_BYTES);
    if (count <= 0) return NOTHING;
    // Reuse the view if it has the right length: small responses often have the same length.
    if (count !== this.#drained.length) this.#drained = this.#buffer.subarray(0, count);
    // Only a long certificate chain needs more than the buffer.
    return count < OUTPUT_BYTES ? this.#drained : this.#withRest();
  }

  #withRest(): Bytes {
    const rest = new Uint8Array(this.#functions.BIO_ctrl_pending(this.#output));
    if (rest.length > 0) this.#functions.BIO_read(this.#output, rest, rest.length);
    return concatenate([this.#drained, rest]);
  }

  /** A copy of what `write` writes to the output BIO, such as a certificate. */
  capture(write: (output: Pointer) => void): Bytes {
    write(this.#output);
    return this.drain().slice();
  }
}
