/**
 * Options of the `tls` middleware.
 *
 * @module
 */
import { z } from "zod";
import { count, milliseconds } from "../../../core/api/numbers.ts";
import type { TlsCertificate } from "./certificates.ts";

/** Options of {@link tls}. */
export interface TlsOptions {
  /**
   * At least one certificate. Each serves the names that it contains; the first one also serves
   * clients that send no server name, or an unknown one.
   */
  certificates: readonly TlsCertificate[];
  /**
   * ALPN protocols (RFC 7301), the preferred one first, such as `["h2", "http/1.1"]`. A client that
   * offers none of them is refused; a client without ALPN is served. Default: no ALPN.
   */
  alpn?: readonly string[] | undefined;
  /** The oldest TLS version accepted. Default `"TLSv1.2"`. */
  minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** Requests certificates from clients. Default: none are requested. */
  clientCertificates?: ClientCertificateOptions | undefined;
  /**
   * `"openssl"`: the system's OpenSSL 3, called in the process, which needs the permission for foreign
   * functions (`--allow-ffi` on Deno). `"runtime"`: the runtime's own TLS behind a pair of sockets,
   * several times slower. Default: OpenSSL if available.
   */
  engine?: "openssl" | "runtime" | undefined;
  /** How long a handshake may take, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number | undefined;
  /**
   * Maximum number of handshakes in progress. At the limit, a new handshake of a client with few of them ends the
   * oldest handshake of the client with the most; a new one of the latter is refused. Default 4096.
   */
  maxHandshakes?: number | undefined;
}

/** Options for client certificates. */
export interface ClientCertificateOptions {
  /** The file of the CA certificates that client certificates are verified with, or their PEM text. */
  ca: string;
  /** Refuses clients without a certificate. An invalid certificate is always refused. Default true. */
  required?: boolean | undefined;
}

const shape = z.strictObject({
  certificates: z.array(z.strictObject({
    cert: z.string().min(1),
    key: z.string().min(1),
    passphrase: z.string().optional(),
  })).min(1, 'expected at least one certificate, such as { cert: "cert.pem", key: "key.pem" }')
    .readonly(),
  alpn: z.array(z.string().min(1).max(255)).min(1).readonly().optional(),
  minVersion: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2"),
  clientCertificates: z.strictObject({
    ca: z.string().min(1),
    required: z.boolean().default(true),
  }).optional(),
  engine: z.enum(["openssl", "runtime"]).optional(),
  handshakeTimeoutMs: milliseconds().default(10_000),
  maxHandshakes: count().default(4096),
});

/** The schema of {@link TlsOptions}. */
export const tlsOptionsSchema: typeof shape = shape;
