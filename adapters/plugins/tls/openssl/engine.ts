/**
 * TLS by the system's OpenSSL, called in the process.
 *
 * @module
 */
import { PeerFaultError } from "../../../../core/api/errors.ts";
import type { Context } from "../../../../core/api/types.ts";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { CertificateMaterial, CertificateStore } from "../certificates.ts";
import type { ServerSettings, TlsEngine, TlsSession } from "../engine.ts";
import { callbacksOf } from "./callbacks.ts";
import { SslContext, TicketKeys } from "./context.ts";
import { type OpenSsl, openSsl, takeError } from "./library.ts";
import { OpenSslSession } from "./session.ts";

/** Sessions of one server. */
export class OpenSslEngine implements TlsEngine<SslContext> {
  readonly #library: OpenSsl;
  readonly #settings: ServerSettings;
  readonly #tickets: TicketKeys = new TicketKeys();

  private constructor(library: OpenSsl, settings: ServerSettings) {
    this.#library = library;
    this.#settings = settings;
  }

  /** Returns `undefined` if the library is missing, or the program may not call it. */
  static open(settings: ServerSettings): OpenSslEngine | undefined {
    const library = openSsl();
    return library && new OpenSslEngine(library, settings);
  }

  load(material: CertificateMaterial, ca: string | undefined): SslContext {
    const library = this.#library;
    const { serverName, alpn } = callbacksOf(library);
    const callbacks = { serverName, alpn: this.#settings.alpn && alpn };
    return new SslContext(library, material, ca, this.#settings, callbacks, this.#tickets);
  }

  open(c: Context, store: CertificateStore<SslContext>): Promise<TlsSession> {
    if (c.socket.state !== "ESTABLISHED") {
      throw new PeerFaultError("the connection ended before the handshake");
    }
    const ssl: Pointer | null = this.#library.functions.SSL_new(store.default.pointer);
    if (!ssl) throw new Error(takeError(this.#library));
    return Promise.resolve(new OpenSslSession(this.#library, ssl, c.socket, store, this.#settings));
  }
}
