/**
 * One TLS connection, terminated by OpenSSL.
 *
 * @module
 */
import { TcpError } from "../../../../core/api/errors.ts";
import { type DirectWriter, directWriterOf } from "../../../../core/api/tcp/direct_writer.ts";
import { deriveDirectSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { ReadableListener } from "../../../../core/api/tcp/connection_listener.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import type { NonBlockingReader } from "../../../../plugins/shared/relay.ts";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { CertificateStore } from "../certificates.ts";
import type { ServerSettings, TlsInfo, TlsSession } from "../engine.ts";
import { brokenBy, endedEarly, truncated } from "../faults.ts";
import { type HandshakeParty, withHandshakeParty } from "./callbacks.ts";
import { ciphertextOf, nextView } from "./ciphertext.ts";
import type { SslContext } from "./context.ts";
import { infoOf, verificationFault } from "./info.ts";
import { type OpenSsl, SSL_ERROR, takeError } from "./library.ts";
import { MemoryBios } from "./memory_bios.ts";
import { RecordBoundaries } from "./records.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Plaintext of a full record (RFC 8446 5.1). */
const RECORD_BYTES = 16 * 1024;
/** Plaintext encrypted per call: four records. It bounds what waits for room in the base's send buffer. */
const WRITE_BYTES = 4 * RECORD_BYTES;
/** A remainder of up to this size is encrypted together with what precedes it. */
const SMALL_REST_BYTES = 4 * 1024;
/** Upper bound on what encryption adds to a record: header, explicit nonce, content type and tag. */
const RECORD_OVERHEAD = 64;
/** From this size on, moving ciphertext straight into the base's send buffer costs less than a copy. */
const DIRECT_BYTES = 4 * 1024;
/**
 * Upper bound on the queued answers to messages such as KeyUpdate (RFC 8446 4.6.3), in bytes. While more bytes are
 * queued, because the client does not read them, nothing is read from the client.
 */
const MAX_ANSWER_BYTES = 4096;
/** Maximum number of bytes read and discarded after the client's close_notify. */
const MAX_DISCARDED_BYTES = 64 * 1024;
/** Bit of the first byte that marks an SSL 2.0 length; no TLS content type has it set (RFC 8446 B.1). */
const SSL2_LENGTH = 0x80;
const bios: Map<OpenSsl, MemoryBios> = new Map();

/**
 * A session keeps only two kinds of ciphertext: an incomplete record, and output that the base has no
 * room for. Both memory BIOs are empty between two calls of the library.
 */
export class OpenSslSession implements TlsSession, HandshakeParty {
  readonly #library: OpenSsl;
  readonly #bios: MemoryBios;
  readonly #base: TcpSocket;
  /** The base, if ciphertext can be moved straight into its send buffer. */
  readonly #direct: DirectWriter | undefined;
  /** Reads from the base. */
  readonly #source: NonBlockingReader;
  readonly #settings: ServerSettings;
  /** Set during the handshake. */
  #store: CertificateStore<SslContext> | undefined;
  /** `undefined` once freed. */
  #ssl: Pointer | undefined;
  readonly #boundaries = new RecordBoundaries();
  /** Whether the library may hold plaintext that did not fit into the last reader's buffer. */
  #hasPlaintext = false;
  /** Whether the client has sent close_notify. */
  #hasEnded = false;
  /** The pending write to the base; nothing is encrypted until it completes. */
  #flushing: Promise<unknown> | undefined;
  /** Whether the base had no room for the last write; the next write waits until it has room for a record. */
  #isFull = false;
  #answerBytes = 0;
  #alpn: string | undefined;
  /** The error that ended the session. */
  #failure: unknown;

  /** Takes ownership of `ssl`. */
  constructor(
    library: OpenSsl,
    ssl: Pointer,
    base: TcpSocket,
    store: CertificateStore<SslContext>,
    settings: ServerSettings,
  ) {
    this.#library = library;
    this.#bios = biosOf(library);
    this.#ssl = ssl;
    this.#base = base;
    this.#direct = directWriterOf(base);
    this.#source = ciphertextOf(base);
    this.#store = store;
    this.#settings = settings;
    this.#bios.connect(ssl);
    library.functions.SSL_set_accept_state(ssl);
  }

  // ---------------------------------------------------------------- handshake

  async secure(): Promise<TlsInfo> {
    for (;;) {
      const view = await nextView(this.#source);
      if (view === null) throw this.#failure ??= endedEarly();
      const hasSecured = this.#shakeHands(view);
      await this.#flushing;
      if (hasSecured) {
        this.#store = undefined;
        return infoOf(this.#library, this.#require(), this.#bios, this.#alpn, this.#settings);
      }
    }
  }

  async refuse(): Promise<void> {
    await this.#flushing;
    await this.#base.closeWrite();
  }

  chooseCertificate(name: string): void {
    const { pointer } = this.#store!.find(name);
    this.#library.functions.SSL_set_SSL_CTX(this.#require(), pointer);
  }

  chooseProtocol(offered: readonly string[]): string | undefined {
    return this.#alpn = this.#settings.alpn?.find((name) => offered.includes(name));
  }

  /** Passes one record of `view` to the library; returns true once the handshake is complete. */
  #shakeHands(view: Uint8Array): boolean {
    const ssl = this.#require();
    // The library would accept an SSL 2.0 ClientHello, which has no record layer.
    if (this.#boundaries.isAtStart && (view[0]! & SSL2_LENGTH) !== 0) {
      throw this.#fail(new Error("this is not TLS"));
    }
    this.#feed(view, 0);
    const { functions } = this.#library;
    const result = withHandshakeParty(this, () => functions.SSL_do_handshake(ssl));
    this.#send(this.#bios.drain());
    const error = result === 1 ? undefined : functions.SSL_get_error(ssl, result);
    if (error !== undefined && error !== SSL_ERROR.WANT_READ) throw this.#failHandshake(ssl);
    if (this.#bios.hasInput) {
      throw this.#fail(new Error("the library did not consume whole records"));
    }
    return result === 1;
  }

  #failHandshake(ssl: Pointer): unknown {
    const reason = takeError(this.#library);
    const fault = verificationFault(this.#library, ssl);
    return this.#fail(
      new Error(fault === undefined ? reason : `the client's certificate is not valid: ${fault}`),
    );
  }

  // ---------------------------------------------------------------- reading

  socket(): TcpSocket {
    return deriveDirectSocket(this.#base, {
      reader: {
        tryRead: (target) => this.#tryRead(target),
        whenReadable: (listener) => this.#whenReadable(listener),
      },
      write: (bytes) => this.#write(bytes),
      tryWrite: (bytes) => this.#tryWrite(bytes),
      closeWrite: () => this.#closeWrite(),
      abort: (reason) => {
        const message = "the connection was aborted by this side";
        this.#failure ??= new TcpError("CONNECTION_ABORTED", message, { cause: reason });
        this.#base.abort(reason);
      },
      alpn: this.#alpn ?? null,
      upgraded: true,
    });
  }

  #tryRead(target: Uint8Array<ArrayBufferLike>): number | null {
    for (;;) {
      if (this.#hasEnded) return null;
      this.#throwFailure();
      if (target.length === 0 || this.#answerBytes > MAX_ANSWER_BYTES) return 0;
      if (!this.#hasPlaintext) {
        const view = this.#source.tryView();
        if (view === undefined) return 0;
        if (view === null) throw truncated();
        this.#feed(view, target.length);
      }
      const count = this.#decrypt(target);
      if (count > 0) return count;
    }
  }

  #whenReadable(listener: ReadableListener): boolean {
    if (this.#hasEnded || this.#failure !== undefined) return false;
    if (this.#answerBytes > MAX_ANSWER_BYTES) {
      const notify = () => listener.onReadable();
      this.#flushing!.then(notify, notify);
      return true;
    }
    return !this.#hasPlaintext && this.#source.whenReadable(listener);
  }

  /** Decrypts what was passed on; returns 0 if the record is still incomplete, or at the end. */
  #decrypt(target: Uint8Array): number {
    const { functions } = this.#library;
    const ssl = this.#require();
    let count = 0;
    let result = 0;
    let hasInput = false;
    do {
      const room = count === 0 ? target : target.subarray(count);
      result = functions.SSL_read(ssl, room, room.length);
      if (result > 0) count += result;
      hasInput = this.#bios.hasInput;
    } while (result > 0 && count < target.length && hasInput);
    this.#hasPlaintext = count === target.length;
    const error = result > 0 ? undefined : functions.SSL_get_error(ssl, result);
    this.#answer(this.#bios.drain());
    if (error === SSL_ERROR.ZERO_RETURN) this.#end();
    else if (error !== undefined && error !== SSL_ERROR.WANT_READ) {
      this.#fail(new Error(takeError(this.#library)));
    } else if (hasInput) {
      this.#fail(new Error("the library did not consume whole records"));
      return 0;
    }
    return count;
  }

  #end(): void {
    this.#hasEnded = true;
    this.#bios.reset();
    this.#discard().catch(() => {});
  }

  /** Passes on ciphertext: whole records for `room` bytes of plaintext, or part of a single record. */
  #feed(view: Uint8Array, room: number): void {
    const count = this.#boundaries.take(view, 0, room);
    this.#bios.feed(count < view.length ? view.subarray(0, count) : view);
    this.#source.consume(count);
  }

  /** RFC 8446 6.1: data after close_notify is ignored; only the end of the base matters. */
  async #discard(): Promise<void> {
    for (let left = MAX_DISCARDED_BYTES; left > 0;) {
      const view = await nextView(this.#source);
      if (view === null) return;
      left -= view.length;
      this.#source.consume(view.length);
    }
  }

  // ---------------------------------------------------------------- writing

  async #write(bytes: Uint8Array<ArrayBufferLike>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const left = bytes.length - at;
      if (this.#writable(left) === 0) {
        await this.#direct!.whenRoom(encryptedSize(Math.min(left, RECORD_BYTES)));
      }
      // A record may be larger than the base's send buffer.
      this.#isFull = false;
      const most = Math.max(this.#writable(left), RECORD_BYTES);
      if (this.#flushing === undefined) at += this.#encrypt(bytes, at, most);
      if (this.#flushing !== undefined) await this.#flushing;
    }
    this.#throwFailure();
  }

  #tryWrite(bytes: Uint8Array<ArrayBufferLike>): number {
    if (this.#failure !== undefined || this.#ssl === undefined) return 0;
    let at = 0;
    while (at < bytes.length && this.#flushing === undefined) {
      const most = this.#writable(bytes.length - at);
      this.#isFull = most === 0;
      if (this.#isFull) break;
      at += this.#encrypt(bytes, at, most);
    }
    return at;
  }

  /** Encrypts at most `most` bytes; returns their number. */
  #encrypt(bytes: Uint8Array<ArrayBufferLike>, at: number, most: number): number {
    this.#throwFailure();
    const ssl = this.#require();
    const end = Math.min(bytes.length, at + most);
    const piece = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
    const count = this.#library.functions.SSL_write(ssl, piece, piece.length);
    if (this.#direct !== undefined && count >= DIRECT_BYTES) this.#sendDirectly(this.#direct);
    else this.#send(this.#bios.drain());
    if (count <= 0) throw this.#fail(new Error(takeError(this.#library)));
    return count;
  }

  /** How many of `wanted` bytes of plaintext the base has room for; 0 if it has no room for a record. */
  #writable(wanted: number): number {
    if (this.#direct === undefined) return WRITE_BYTES;
    const { room } = this.#direct;
    const isAll = wanted <= WRITE_BYTES + SMALL_REST_BYTES && room >= encryptedSize(wanted);
    if (isAll && (!this.#isFull || room >= encryptedSize(RECORD_BYTES))) return wanted;
    const records = Math.floor(room / encryptedSize(RECORD_BYTES));
    return Math.min(WRITE_BYTES, records * RECORD_BYTES);
  }

  /** Moves output straight into the base's send buffer, as far as it has room. */
  #sendDirectly(direct: DirectWriter): void {
    for (let left = this.#bios.pending; left > 0;) {
      const sent = direct.tryFill(left, this.#bios.read);
      if (sent === 0) return this.#send(this.#bios.drain());
      left -= sent;
    }
  }

  async #closeWrite(): Promise<void> {
    if (this.#flushing !== undefined) await this.#flushing;
    this.#throwFailure();
    this.#library.functions.SSL_shutdown(this.#require());
    this.#library.functions.ERR_clear_error();
    this.#send(this.#bios.drain());
    if (this.#flushing !== undefined) await this.#flushing;
    await this.#base.closeWrite();
  }

  /** Sends what the library wrote in response to the client, such as a KeyUpdate. */
  #answer(ciphertext: Bytes): void {
    if (ciphertext.length === 0) return;
    if (this.#flushing !== undefined) this.#answerBytes += ciphertext.length;
    this.#send(ciphertext);
  }

  /** Sends ciphertext; what the base has no room for is queued behind earlier output. */
  #send(ciphertext: Bytes): void {
    if (ciphertext.length === 0) return;
    const taken = this.#flushing === undefined ? this.#base.tryWrite(ciphertext) : 0;
    if (taken === ciphertext.length) return;
    const flushing: Promise<unknown> = this.#base.write(ciphertext.slice(taken)).then(
      () => this.#hasFlushed(flushing),
      (error) => {
        this.#failure ??= error;
        this.#hasFlushed(flushing);
        throw error;
      },
    );
    flushing.catch(() => {});
    this.#flushing = flushing;
  }

  #hasFlushed(flushing: Promise<unknown>): void {
    if (this.#flushing !== flushing) return;
    this.#flushing = undefined;
    this.#answerBytes = 0;
  }

  // ---------------------------------------------------------------- the end

  dispose(): void {
    this.#failure ??= new TcpError("CONNECTION_ABORTED", "the TLS session has ended");
    if (this.#ssl !== undefined) this.#library.functions.SSL_free(this.#ssl);
    this.#ssl = undefined;
    this.#store = undefined;
  }

  #require(): Pointer {
    this.#throwFailure();
    return this.#ssl!;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the session after an error of the library. Nothing may be left in the shared BIOs. */
  #fail(error: Error): unknown {
    this.#bios.reset();
    return this.#failure ??= brokenBy(error);
  }
}

/** Room for the ciphertext of `plaintext` bytes. */
function encryptedSize(plaintext: number): number {
  return plaintext + Math.ceil(plaintext / RECORD_BYTES) * RECORD_OVERHEAD;
}

function biosOf(library: OpenSsl): MemoryBios {
  let found = bios.get(library);
  if (found === undefined) bios.set(library, found = new MemoryBios(library));
  return found;
}
