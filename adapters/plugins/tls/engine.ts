/**
 * The interface of TLS engines: the system's OpenSSL, or the runtime's own implementation.
 *
 * @module
 */
import type { Context, TcpSocket } from "../../../core/api/types.ts";
import type { CertificateMaterial, CertificateStore } from "./certificates.ts";

/** The results of a handshake. Plugins after `tls` read them with `c.get<TlsInfo>(TLS_INFO)`. */
export interface TlsInfo {
  /** `"TLSv1.2"` or `"TLSv1.3"`. */
  readonly version: string;
  /** The name of the cipher suite. */
  readonly cipher: string;
  /** The server name that the client sent (RFC 6066 3). */
  readonly serverName: string | undefined;
  /** The negotiated protocol (RFC 7301). */
  readonly alpn: string | undefined;
  /** The client's certificate, if it presented a valid one. */
  readonly clientCertificate: ClientCertificate | undefined;
}

/** The identity of a client. */
export interface ClientCertificate {
  /** The common name of its subject. */
  readonly commonName: string | undefined;
  /** Its names, such as `"DNS:example.org, IP Address:10.0.0.1"`. */
  readonly subjectAltName: string | undefined;
  /** Its SHA-256 fingerprint, such as `"AB:CD:…"`. */
  readonly fingerprint256: string;
}

/** Settings shared by all certificates of a server. */
export interface ServerSettings {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** ALPN protocols, the preferred one first. */
  readonly alpn: readonly string[] | undefined;
  /** The cipher suites of TLS 1.2, in the notation of OpenSSL; `undefined` for the engine's default. */
  readonly ciphers: string | undefined;
  /** Whether clients are asked for a certificate, and whether they must present one. */
  readonly clients: { readonly required: boolean } | undefined;
}

/** Creates sessions. `C` is a certificate with its key, ready for use. */
export interface TlsEngine<C> {
  /**
   * Prepares a certificate. `ca` is the PEM text of the CA certificates for client certificates.
   *
   * @throws {Error} The engine cannot use it.
   */
  load(material: CertificateMaterial, ca: string | undefined): C;
  /**
   * Creates a session; {@link TlsSession.secure} runs the handshake.
   *
   * @throws {PeerFaultError} The client has closed the connection already.
   * @throws {Error} The host lacks resources, such as file descriptors.
   */
  open(c: Context, store: CertificateStore<C>): Promise<TlsSession>;
}

/** One TLS connection on top of a connection of the stack. */
export interface TlsSession {
  /**
   * Runs the handshake. When it rejects, the alert has been queued.
   *
   * @throws The handshake failed, or the connection ended.
   */
  secure(): Promise<TlsInfo>;
  /** Sends pending output after a failed handshake, then closes the writing direction. */
  refuse(): Promise<void>;
  /** The plaintext; ending it sends close_notify. */
  socket(): TcpSocket;
  /** Frees everything except the underlying connection. */
  dispose(): void;
}
