/**
 * TLS on top of a connection, for the plugins behind it.
 *
 * @module
 */
import type { TLSSocket, TLSSocketOptions } from "node:tls";
import { messageOf } from "../../core/api/error_text.ts";
import { PeerFaultError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Context, Next } from "../../core/api/types.ts";
import { withTimeout } from "../../plugins/shared/with_timeout.ts";
import { FaultLog } from "../host/fault_log.ts";
import { type TlsOptions, tlsOptionsSchema } from "./tls/options.ts";
import { RenewedCertificates } from "./tls/renewed_certificates.ts";
import { TlsSession } from "./tls/session.ts";

export type { TlsCertificate } from "./tls/certificates.ts";
export type { ClientCertificateOptions, TlsOptions } from "./tls/options.ts";

/** What a handshake has agreed on: `c.get<TlsInfo>(TLS_INFO)` behind {@link tls}. */
export interface TlsInfo {
  /** `"TLSv1.2"` or `"TLSv1.3"`. */
  readonly version: string;
  /** The name of the cipher suite. */
  readonly cipher: string;
  /** The name that the client asked for (RFC 6066 3). */
  readonly serverName: string | undefined;
  /** The protocol that was agreed on (RFC 7301). */
  readonly alpn: string | undefined;
  /** What the client has shown, once it was found valid. */
  readonly clientCertificate: ClientCertificate | undefined;
}

/** Who a client is. */
export interface ClientCertificate {
  /** The common name of its subject. */
  readonly commonName: string | undefined;
  /** Its names, as `"DNS:example.org, IP Address:10.0.0.1"`. */
  readonly subjectAltName: string | undefined;
  /** Its SHA-256, as `"AB:CD:…"`. */
  readonly fingerprint256: string;
}

/** Where {@link tls} puts what was agreed on. */
export const TLS_INFO: unique symbol = Symbol("berth.tls");

/**
 * Speaks TLS 1.2 and 1.3 as a server, and hands the plain connection to the next plugin.
 *
 * Certificates are chosen by the name that the client asks for (SNI), the protocol by ALPN; the next
 * plugin sees it as `(await socket.opened).alpn`, and more in {@link TLS_INFO}. Half-closes are
 * carried both ways as close_notify. A connection that ends without it breaks with
 * `CONNECTION_RESET`: what came may be cut short. Who does not read stops who writes: a few hundred
 * kilobytes wait at most. A handshake that fails is logged at level `info`, with the number of those
 * that have failed, and goes no further.
 *
 * Files that change are read again within a second, when a client comes; connections that are there
 * go on. What cannot be used is logged at level `warn`, and the old certificates stay.
 *
 * @throws {TypeError} An option is not what it has to be, or a certificate or key cannot be used.
 *
 * @example
 * ```ts
 * import { execFileSync } from "node:child_process";
 * import { Duplex } from "node:stream";
 * import { connect } from "node:tls";
 * import { createStack, echo, linkPair, tls } from "@berth/berth";
 *
 * const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes " +
 *   "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout - -out -";
 * const pem = execFileSync("openssl", request.split(" "), { encoding: "utf8", stdio: "pipe" });
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(443, tls({ certificates: [{ cert: pem, key: pem }] }), echo()); // or names of files
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const { readable, writable } = client.connect("10.0.0.1:443", { allowHalfOpen: true });
 * const beneath = Duplex.fromWeb({ readable, writable });
 * const socket = connect({ socket: beneath, host: "localhost", ca: pem });
 * socket.end("ahoy");
 * let echoed = "";
 * for await (const chunk of socket) echoed += chunk;
 * if (echoed !== "ahoy") throw new Error(echoed);
 * ```
 */
export const tls: PluginFactory<TlsOptions> = definePlugin({
  name: "tls",
  options: tlsOptionsSchema,
  setup: ({ certificates, alpn, minVersion, clientCertificates, handshakeTimeoutMs }) => {
    const ca = clientCertificates?.ca;
    const server: Server = {
      certificates: new RenewedCertificates({ certificates, ca, minVersion }),
      options: {
        ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
        ...(ca ? { requestCert: true, rejectUnauthorized: clientCertificates!.required } : {}),
      },
      handshakeTimeoutMs,
      clients: clientCertificates ? { required: clientCertificates.required } : undefined,
      failures: 0,
      faults: new FaultLog("tls: no handshake without a socket"),
    };
    return (c, next) => serve(c, next, server);
  },
});

interface Server {
  readonly certificates: RenewedCertificates;
  readonly options: TLSSocketOptions;
  readonly handshakeTimeoutMs: number;
  readonly clients: { readonly required: boolean } | undefined;
  /** Handshakes that have failed. */
  failures: number;
  /** Handshakes for which the kernel gave no sockets. */
  readonly faults: FaultLog;
}

async function serve(c: Context, next: Next, server: Server): Promise<void> {
  const store = server.certificates.current(c.clock.now(), c.log);
  const session = await TlsSession.open(c.socket, c.clock, {
    ...server.options,
    secureContext: store.default,
    SNICallback: (name, found) => found(null, store.find(name)),
  }).catch((error: Error) => {
    if (error instanceof PeerFaultError) throw error;
    server.faults.add(error, c.log);
    c.socket.abort(error);
  });
  if (session === undefined) return;
  try {
    if (await shakeHands(c, session, server)) await next(session.socket());
  } finally {
    session.dispose();
  }
}

/** False: it failed; that is logged, and the client has the alert. */
async function shakeHands(c: Context, session: TlsSession, server: Server): Promise<boolean> {
  const { clock, socket, log } = c;
  const { handshakeTimeoutMs, clients } = server;
  const giveUp = () => socket.abort(new Error("the handshake took too long"));
  try {
    await withTimeout(clock, handshakeTimeoutMs, giveUp, () => session.secured);
    c.set(TLS_INFO, infoOf(session, clients));
    return true;
  } catch (error) {
    log.info("tls: handshake failed", {
      remote: formatHostPort(socket.remoteAddr),
      reason: messageOf(error),
      failures: ++server.failures,
    });
    session.engine.end();
    await session.allSent.catch(() => {});
    return false;
  }
}

/** @throws The client's certificate is not valid, or is missing. */
function infoOf({ engine }: TlsSession, clients: Server["clients"]): TlsInfo {
  const shown = clients ? engine.getPeerCertificate() : undefined;
  const hasShown = shown !== undefined && Object.keys(shown).length > 0;
  const fault = hasShown ? certificateFault(engine) : undefined;
  if (fault !== undefined) throw new Error(`the client's certificate is not valid: ${fault}`);
  if (clients?.required && !hasShown) throw new Error("the client has shown no certificate");
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

/** Why the client's certificate is not valid. Only `tls.Server` puts that into `authorized` on Deno. */
function certificateFault(engine: TLSSocket): string | undefined {
  if (engine.authorized) return undefined;
  if (engine.authorizationError) return String(engine.authorizationError);
  const { _handle: handle } = engine as { _handle?: { verifyError?(): { code?: string } | "" } };
  if (handle?.verifyError === undefined) return "it was not verified";
  const error = handle.verifyError();
  return error ? String(error.code ?? error) : undefined;
}
