/**
 * Options of the `tls` middleware.
 *
 * @module
 */
import { z } from "zod";
import { milliseconds } from "../../../core/api/numbers.ts";
import type { TlsCertificate } from "./certificates.ts";

/** Options of {@link tls}. */
export interface TlsOptions {
  /**
   * At least one, each for the names that stand in it; the first is also for clients that ask for
   * no name, or for one that no certificate has.
   */
  certificates: readonly TlsCertificate[];
  /**
   * Protocols to agree on, the preferred one first (RFC 7301), as `["h2", "http/1.1"]`. A client that
   * knows none of them is refused; one that does not ask is served. Default: nothing is agreed on.
   */
  alpn?: readonly string[] | undefined;
  /** The oldest version that is spoken. Default `"TLSv1.2"`. */
  minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** Asks clients for a certificate. Default: they are not asked. */
  clientCertificates?: ClientCertificateOptions | undefined;
  /**
   * `"openssl"`: the system's OpenSSL 3, called in the process, which needs the permission for foreign
   * functions. `"runtime"`: the runtime's own TLS behind a pair of sockets, several times slower. Default:
   * the first where it can be had.
   */
  engine?: "openssl" | "runtime" | undefined;
  /** How long a handshake may take, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number | undefined;
}

/** What clients have to show. */
export interface ClientCertificateOptions {
  /** The file of the certificates that must have signed it, or their PEM text. */
  ca: string;
  /** Refuses clients that show none; one that is shown has to be valid in any case. Default true. */
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
});

/** What {@link TlsOptions} are checked with. */
export const tlsOptionsSchema: typeof shape = shape;
