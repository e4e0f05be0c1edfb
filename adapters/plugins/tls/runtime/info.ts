/**
 * Results of a handshake by the runtime's TLS.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import type { ServerSettings, TlsInfo } from "../engine.ts";

/** @throws The client's certificate is invalid or missing. */
export function infoOf(engine: TLSSocket, clients: ServerSettings["clients"]): TlsInfo {
  const shown = clients ? engine.getPeerCertificate() : undefined;
  const hasShown = shown !== undefined && Object.keys(shown).length > 0;
  const fault = hasShown ? certificateFault(engine) : undefined;
  if (fault !== undefined) throw new Error(`the client's certificate is not valid: ${fault}`);
  if (clients?.required && !hasShown) throw new Error("the client presented no certificate");
  const { servername } = engine as { servername?: string | false };
  return {
    version: engine.getProtocol() ?? "unknown",
    cipher: engine.getCipher().name,
    serverName: servername || undefined,
    alpn: engine.alpnProtocol || undefined,
    clientCertificate: hasShown
      ? {
        commonName: [shown.subject?.CN].flat()[0],
        subjectAltName: shown.subjectaltname,
        fingerprint256: shown.fingerprint256,
      }
      : undefined,
  };
}

/** Why the client's certificate is invalid. On Deno only `tls.Server` sets `authorized`. */
function certificateFault(engine: TLSSocket): string | undefined {
  if (engine.authorized) return undefined;
  if (engine.authorizationError) return String(engine.authorizationError);
  const { _handle: handle } = engine as { _handle?: { verifyError?(): { code?: string } | "" } };
  if (handle?.verifyError === undefined) return "it was not verified";
  const error = handle.verifyError();
  return error ? String(error.code ?? error) : undefined;
}
