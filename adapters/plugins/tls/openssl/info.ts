/**
 * Results of a handshake by OpenSSL.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import type { Pointer } from "../../../runtime/foreign_library.ts";
import type { ClientCertificate, ServerSettings, TlsInfo } from "../engine.ts";
import type { OpenSsl } from "./library.ts";
import type { MemoryBios } from "./memory_bios.ts";

const TLSEXT_NAMETYPE_HOST_NAME = 0;
const X509_V_OK = 0;

/** The results of the handshake of `ssl`. */
export function infoOf(
  library: OpenSsl,
  ssl: Pointer,
  bios: MemoryBios,
  alpn: string | undefined,
  { clients }: ServerSettings,
): TlsInfo {
  const { functions, text } = library;
  const name = functions.SSL_get_servername(ssl, TLSEXT_NAMETYPE_HOST_NAME);
  return {
    version: text(functions.SSL_get_version(ssl)),
    cipher: text(functions.SSL_CIPHER_get_name(functions.SSL_get_current_cipher(ssl))),
    serverName: name ? text(name) : undefined,
    alpn,
    clientCertificate: clients ? clientCertificate(library, ssl, bios) : undefined,
  };
}

/** Why the client's certificate is invalid. */
export function verificationFault({ functions, text }: OpenSsl, ssl: Pointer): string | undefined {
  const result = functions.SSL_get_verify_result(ssl);
  return result === X509_V_OK ? undefined : text(functions.X509_verify_cert_error_string(result));
}

function clientCertificate(
  { functions }: OpenSsl,
  ssl: Pointer,
  bios: MemoryBios,
): ClientCertificate | undefined {
  const shown = functions.SSL_get1_peer_certificate(ssl);
  if (!shown) return undefined;
  const der = bios.capture((output) => functions.i2d_X509_bio(output, shown));
  functions.X509_free(shown);
  const { subject, subjectAltName, fingerprint256 } = new X509Certificate(der);
  return {
    commonName: /^CN=(.*)$/m.exec(subject)?.[1],
    subjectAltName,
    fingerprint256,
  };
}
