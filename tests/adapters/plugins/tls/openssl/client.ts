/**
 * An OpenSSL client over a socket of a stack; its bytes can be split, changed and repeated.
 *
 * @module
 */
import type { TcpSocket } from "../../../../../core/api/types.ts";
import {
  openLibrary,
  type Pointer,
  type Signature,
} from "../../../../../adapters/runtime/foreign_library.ts";

interface Functions {
  TLS_client_method(): Pointer;
  SSL_CTX_new(method: Pointer): Pointer;
  SSL_new(context: Pointer): Pointer;
  SSL_free(ssl: Pointer): void;
  SSL_set_bio(ssl: Pointer, input: Pointer, output: Pointer): void;
  SSL_set_connect_state(ssl: Pointer): void;
  SSL_do_handshake(ssl: Pointer): number;
  SSL_read(ssl: Pointer, target: Uint8Array, size: number): number;
  SSL_write(ssl: Pointer, source: Uint8Array, size: number): number;
  SSL_shutdown(ssl: Pointer): number;
  SSL_key_update(ssl: Pointer, type: number): number;
  BIO_s_mem(): Pointer;
  BIO_new(method: Pointer): Pointer;
  BIO_ctrl_pending(bio: Pointer): number;
  BIO_read(bio: Pointer, target: Uint8Array, size: number): number;
  BIO_write(bio: Pointer, source: Uint8Array, size: number): number;
  ERR_clear_error(): void;
}

const P = "pointer";
const SIGNATURES: Readonly<Record<keyof Functions, Signature>> = {
  TLS_client_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_new: { parameters: [P], result: P },
  SSL_free: { parameters: [P], result: "void" },
  SSL_set_bio: { parameters: [P, P, P], result: "void" },
  SSL_set_connect_state: { parameters: [P], result: "void" },
  SSL_do_handshake: { parameters: [P], result: "i32" },
  SSL_read: { parameters: [P, "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: [P, "buffer", "i32"], result: "i32" },
  SSL_shutdown: { parameters: [P], result: "i32" },
  SSL_key_update: { parameters: [P, "i32"], result: "i32" },
  BIO_s_mem: { parameters: [], result: P },
  BIO_new: { parameters: [P], result: P },
  BIO_ctrl_pending: { parameters: [P], result: "i32" },
  BIO_read: { parameters: [P, "buffer", "i32"], result: "i32" },
  BIO_write: { parameters: [P, "buffer", "i32"], result: "i32" },
  ERR_clear_error: { parameters: [], result: "void" },
};

let functions: Functions | undefined;
/** Shared by all clients, because making one takes a millisecond; it keeps no sessions. */
let context: Pointer | undefined;

function library(): Functions {
  functions ??= openLibrary<Functions>(["libssl.so.3"], SIGNATURES)?.functions;
  if (functions === undefined) throw new Error("needs libssl.so.3");
  return functions;
}

const KEY_UPDATE_REQUESTED = 1;

/** Changes bytes on their way to the server. */
export type Tamper = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/** One client. It verifies nothing. */
export class OpenSslClient implements Disposable {
  readonly #socket: TcpSocket;
  readonly #tamper: Tamper;
  readonly #ssl: Pointer;
  readonly #input: Pointer;
  readonly #output: Pointer;

  constructor(socket: TcpSocket, tamper: Tamper = (bytes) => bytes) {
    const ssl = library();
    this.#socket = socket;
    this.#tamper = tamper;
    context ??= ssl.SSL_CTX_new(ssl.TLS_client_method());
    this.#ssl = ssl.SSL_new(context);
    this.#input = ssl.BIO_new(ssl.BIO_s_mem());
    this.#output = ssl.BIO_new(ssl.BIO_s_mem());
    ssl.SSL_set_bio(this.#ssl, this.#input, this.#output);
    ssl.SSL_set_connect_state(this.#ssl);
  }

  /** Resolves with false if the server has ended the connection first. */
  async handshake(): Promise<boolean> {
    for (;;) {
      const result = library().SSL_do_handshake(this.#ssl);
      await this.flush();
      if (result === 1) return true;
      if (!await this.#receive()) return false;
    }
  }

  /** Encrypts; {@link flush} sends. */
  write(bytes: Uint8Array): void {
    library().SSL_write(this.#ssl, bytes, bytes.length);
  }

  /** Asks the server for new keys (RFC 8446 4.6.3). */
  updateKeys(): void {
    library().SSL_key_update(this.#ssl, KEY_UPDATE_REQUESTED);
    library().SSL_do_handshake(this.#ssl);
  }

  /** The next plaintext; `undefined` at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const target = new Uint8Array(16_384);
    for (;;) {
      const count = library().SSL_read(this.#ssl, target, target.length);
      library().ERR_clear_error();
      if (count > 0) return target.subarray(0, count);
      if (!await this.#receive()) return undefined;
    }
  }

  /** Sends close_notify. */
  async end(): Promise<void> {
    library().SSL_shutdown(this.#ssl);
    await this.flush();
    await this.#socket.closeWrite();
  }

  /** Sends what has been encrypted, changed by the client's `tamper`. */
  async flush(): Promise<void> {
    const bytes = this.take();
    if (bytes.length > 0) await this.#socket.write(this.#tamper(bytes));
  }

  /** Encrypted bytes that are yet to be sent. */
  take(): Uint8Array<ArrayBuffer> {
    const size = library().BIO_ctrl_pending(this.#output);
    const bytes = new Uint8Array(size);
    if (size > 0) library().BIO_read(this.#output, bytes, size);
    return bytes;
  }

  async #receive(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const count = await this.#socket.read(chunk).catch(() => null);
    if (count === null) return false;
    library().BIO_write(this.#input, chunk, count);
    return true;
  }

  [Symbol.dispose](): void {
    library().SSL_free(this.#ssl);
  }
}
