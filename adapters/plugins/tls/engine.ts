/**
 * What terminates TLS: the system's OpenSSL, or the runtime's own implementation.
 *
 * @module
 */
import type { Context, TcpSocket } from "../../../core/api/types.ts";
import type { CertificateMaterial, CertificateStore } from "./certificates.ts";

/** What a handshake has agreed on: `c.get<TlsInfo>(TLS_INFO)` behind `tls`. */
export interface TlsInfo {
  /** `"TLSv1.2"` or `"TLSv1.3"`. */
  readonly version: string;
  /** The name of the cipher suite. */
  readonly cipher: string;
  /** The name that the client asked for (RFC 6066 3). */
  readonly serverName: string | undefined;
  /** The protocol that was agreed on (RFC 7301). */
  readonly alpn: string | undefined;
  /** The client's certificate, if it presented a valid one. */
  readonly clientCertificate: ClientCertificate | undefined;
}

/** The identity of a client. */
export interface ClientCertificate {
  /** The common name of its subject. */
  readonly commonName: string | undefined;
  /** Its names, as `"DNS:example.org, IP Address:10.0.0.1"`. */
  readonly subjectAltName: string | undefined;
  /** Its SHA-256, as `"AB:CD:…"`. */
  readonly fingerprint256: string;
}

/** Settings that all certificates of a server share. */
export interface ServerSettings {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Protocols to agree on, the preferred one first. */
  readonly alpn: readonly string[] | undefined;
  /** Whether clients are asked for a certificate, and whether they must present one. */
  readonly clients: { readonly required: boolean } | undefined;
}

/** Makes sessions; `C` is a certificate with its key, ready for use. */
export interface TlsEngine<C> {
  /**
   * Prepares a certificate; `ca` has the PEM text of the authorities of client certificates.
   *
   * @throws {Error} The engine cannot use it.
   */
  load(material: CertificateMaterial, ca: string | undefined): C;
  /**
   * Begins a session; the handshake runs in {@link TlsSession.secure}.
   *
   * @throws {PeerFaultError} The client has gone already.
   * @throws {Error} The host has no resources for it.
   */
  open(c: Context, store: CertificateStore<C>): Promise<TlsSession>;
}

/** One TLS connection on top of one of the stack's. */
export interface TlsSession {
  /**
   * Runs the handshake. When it rejects, the alert is on its way to the client.
   *
   * @throws It failed, or the connection ended.
   */
  secure(): Promise<TlsInfo>;
  /** Sends what is left to send after a failed handshake, and ends writing. */
  refuse(): Promise<void>;
  /** The plaintext; ending it sends close_notify. */
  socket(): TcpSocket;
  /** Frees everything but the connection beneath. */
  dispose(): void;
}
