/**
 * One TLS connection, terminated by OpenSSL.
 *
 * @module
 */
import { TcpError } from "../../../../core/api/errors.ts";
import { deriveSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { CertificateStore } from "../certificates.ts";
import type { ServerSettings, TlsInfo, TlsSession } from "../engine.ts";
import { brokenBy, endedEarly, truncated } from "../faults.ts";
import { type HandshakeParty, whileAsked } from "./callbacks.ts";
import type { SslContext } from "./context.ts";
import { infoOf, verificationFault } from "./info.ts";
import { type OpenSsl, SSL_ERROR, takeError } from "./library.ts";
import { MemoryBios } from "./memory_bios.ts";
import { RecordBoundaries } from "./records.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Plaintext that is encrypted at once: four records. So much waits for room below, at most. */
const WRITE_BYTES = 64 * 1024;
/**
 * Answers to the client's messages, such as KeyUpdate, that wait because the client does not read: with
 * more than so many bytes of them nothing is read from it (RFC 8446 4.6.3).
 */
const MAX_ANSWER_BYTES = 4096;
/** What is read, and thrown away, of a client that goes on behind its close_notify. */
const MAX_DISCARDED_BYTES = 64 * 1024;
/** In the first byte, where SSL 2.0 has its length; no type of a TLS record has it (RFC 8446 B.1). */
const SSL2_LENGTH = 0x80;
const bios: Map<OpenSsl, MemoryBios> = new Map();

/**
 * A session keeps no ciphertext but a record that has not come whole, and what the connection below has
 * no room for. Between two calls of the library both memory BIOs are empty.
 */
export class OpenSslSession implements TlsSession, HandshakeParty {
  readonly #library: OpenSsl;
  readonly #bios: MemoryBios;
  readonly #base: TcpSocket;
  readonly #settings: ServerSettings;
  /** Until the handshake has ended. */
  #store: CertificateStore<SslContext> | undefined;
  /** `undefined` once it is freed. */
  #ssl: Pointer | undefined;
  /** Lends `#view`; `undefined`: nothing is lent. */
  #views: AsyncIterator<Bytes> | undefined;
  /** What has come and has not been handed to the library yet: `#view` from `#at` on. */
  #view: Bytes | undefined;
  #at = 0;
  readonly #boundaries = new RecordBoundaries();
  /** The library may have plaintext that the last reader had no room for. */
  #hasPlaintext = false;
  /** The client has sent close_notify. */
  #hasEnded = false;
  /** The write to the base that waits for room; nothing is encrypted meanwhile. */
  #flushing: Promise<unknown> | undefined;
  #answerBytes = 0;
  #alpn: string | undefined;
  /** What has ended the session. */
  #failure: unknown;

  /** Takes `ssl` over. */
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
    this.#store = store;
    this.#settings = settings;
    this.#bios.connect(ssl);
    library.functions.SSL_set_accept_state(ssl);
  }

  // ---------------------------------------------------------------- handshake

  async secure(): Promise<TlsInfo> {
    while (await this.#fill()) {
      const hasSecured = this.#shakeHands();
      await this.#flushing;
      if (hasSecured) {
        this.#store = undefined;
        return infoOf(this.#library, this.#require(), this.#bios, this.#alpn, this.#settings);
      }
    }
    throw this.#failure ??= endedEarly();
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

  /** Hands one record over; true: the handshake is done. */
  #shakeHands(): boolean {
    const ssl = this.#require();
    // The library would take a ClientHello of SSL 2.0, which has no records.
    if (this.#boundaries.isAtStart && (this.#view![this.#at]! & SSL2_LENGTH) !== 0) {
      throw this.#fail(new Error("this is not TLS"));
    }
    this.#feed(0);
    const { functions } = this.#library;
    const result = whileAsked(this, () => functions.SSL_do_handshake(ssl));
    this.#send(this.#bios.drain());
    const error = result === 1 ? undefined : functions.SSL_get_error(ssl, result);
    if (error !== undefined && error !== SSL_ERROR.WANT_READ) throw this.#failHandshake(ssl);
    this.#requireEmpty();
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
    return deriveSocket(this.#base, {
      read: (target) => this.#read(target),
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

  async #read(target: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    for (;;) {
      if (this.#hasEnded) return null;
      this.#throwFailure();
      // Its buffer was transferred while it waited.
      if (target.length === 0) return 0;
      if (this.#answerBytes > MAX_ANSWER_BYTES) await this.#flushing;
      else if (!this.#hasPlaintext && !await this.#fill()) throw truncated();
      else {
        const count = target.length === 0 ? 0 : this.#decrypt(target);
        if (count > 0) return count;
      }
    }
  }

  /** Decrypts what is there; 0: a record has not come whole, or the end has come. */
  #decrypt(target: Uint8Array): number {
    const { functions } = this.#library;
    const ssl = this.#require();
    if (!this.#hasPlaintext) this.#feed(target.length);
    let count = 0;
    let result = 0;
    do {
      const room = count === 0 ? target : target.subarray(count);
      result = functions.SSL_read(ssl, room, room.length);
      if (result > 0) count += result;
    } while (result > 0 && count < target.length && this.#bios.hasInput);
    this.#hasPlaintext = count === target.length;
    const error = result > 0 ? undefined : functions.SSL_get_error(ssl, result);
    this.#answer(this.#bios.drain());
    if (error === SSL_ERROR.ZERO_RETURN) this.#end();
    else if (error !== undefined && error !== SSL_ERROR.WANT_READ) {
      this.#fail(new Error(takeError(this.#library)));
      return count;
    }
    if (!this.#hasEnded) this.#requireEmpty();
    return count;
  }

  #end(): void {
    this.#hasEnded = true;
    this.#bios.reset();
    this.#giveBack();
    this.#discard().catch(() => {});
  }

  /** Hands ciphertext over: whole records for `room` bytes of plaintext, or what there is of one. */
  #feed(room: number): void {
    const view = this.#view!;
    const count = this.#boundaries.take(view, this.#at, room);
    this.#bios.feed(view.subarray(this.#at, this.#at + count));
    this.#at += count;
    if (this.#at === view.length) this.#giveBack();
  }

  /** Waits for ciphertext; false at the end of the base. */
  async #fill(): Promise<boolean> {
    while (this.#view === undefined) {
      this.#views ??= this.#base.views();
      const { value } = await this.#views.next();
      this.#throwFailure();
      if (value === undefined) return false;
      this.#view = value;
      this.#at = 0;
    }
    return true;
  }

  /** Opens the window again, and lets a FIN behind it be acknowledged, though nobody may read on. */
  #giveBack(): void {
    this.#view = undefined;
    void this.#views?.return?.();
    this.#views = undefined;
  }

  /** Behind close_notify nothing counts (RFC 8446 6.1), but the base's end. */
  async #discard(): Promise<void> {
    for (let left = MAX_DISCARDED_BYTES; left > 0;) {
      if (!await this.#fill()) return;
      left -= this.#view!.length;
      this.#giveBack();
    }
  }

  // ---------------------------------------------------------------- writing

  async #write(bytes: Uint8Array<ArrayBufferLike>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#flushing === undefined) at += this.#encrypt(bytes, at);
      if (this.#flushing !== undefined) await this.#flushing;
    }
    this.#throwFailure();
  }

  #tryWrite(bytes: Uint8Array<ArrayBufferLike>): number {
    if (this.#failure !== undefined || this.#ssl === undefined) return 0;
    let at = 0;
    while (at < bytes.length && this.#flushing === undefined) at += this.#encrypt(bytes, at);
    return at;
  }

  /** Returns how many bytes it has taken. */
  #encrypt(bytes: Uint8Array<ArrayBufferLike>, at: number): number {
    this.#throwFailure();
    const ssl = this.#require();
    const end = Math.min(bytes.length, at + WRITE_BYTES);
    const piece = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
    const count = this.#library.functions.SSL_write(ssl, piece, piece.length);
    this.#send(this.#bios.drain());
    if (count <= 0) throw this.#fail(new Error(takeError(this.#library)));
    return count;
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

  /** Sends what the library has written in answer to what the client sent. */
  #answer(ciphertext: Bytes): void {
    if (ciphertext.length === 0) return;
    if (this.#flushing !== undefined) this.#answerBytes += ciphertext.length;
    this.#send(ciphertext);
  }

  /** What the base does not take at once goes behind what waits already. */
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
    this.#view = undefined;
  }

  #require(): Pointer {
    this.#throwFailure();
    return this.#ssl!;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** After an error of the library nothing of this session may reach the next one. */
  #fail(error: Error): unknown {
    this.#bios.reset();
    return this.#failure ??= brokenBy(error);
  }

  #requireEmpty(): void {
    if (this.#bios.hasInput) throw this.#fail(new Error("the records do not fit their lengths"));
  }
}

function biosOf(library: OpenSsl): MemoryBios {
  let found = bios.get(library);
  if (found === undefined) bios.set(library, found = new MemoryBios(library));
  return found;
}
