/**
 * TLS on top of a connection, for the plugins behind it.
 *
 * @module
 */
import type { z } from "zod";
import { messageOf } from "../../core/api/error_text.ts";
import { PeerFaultError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Context, Next } from "../../core/api/types.ts";
import { withTimeout } from "../../plugins/shared/with_timeout.ts";
import { FaultLog } from "../host/fault_log.ts";
import type { TlsEngine, TlsSession } from "./tls/engine.ts";
import { OpenSslEngine } from "./tls/openssl/engine.ts";
import { type TlsOptions, tlsOptionsSchema } from "./tls/options.ts";
import { RenewedCertificates } from "./tls/renewed_certificates.ts";
import { RuntimeEngine } from "./tls/runtime/engine.ts";

export type { TlsCertificate } from "./tls/certificates.ts";
export type { ClientCertificate, TlsInfo } from "./tls/engine.ts";
export type { ClientCertificateOptions, TlsOptions } from "./tls/options.ts";

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
  setup: (options) => {
    const server = serverOf(options);
    return (c, next) => serve(c, next, server);
  },
});

const NO_OPENSSL = 'tls: options.engine is "openssl", but libssl.so.3 cannot be called: install ' +
  'OpenSSL 3, give --allow-ffi on Deno, or use "runtime"';

interface Server {
  /** Begins a session with the certificates that are valid now. */
  readonly open: (c: Context) => Promise<TlsSession>;
  readonly handshakeTimeoutMs: number;
  /** Handshakes that have failed. */
  failures: number;
  /** Sessions for which the host had no resources. */
  readonly faults: FaultLog;
}

function serverOf(options: z.output<typeof tlsOptionsSchema>): Server {
  const { alpn, minVersion, clientCertificates, handshakeTimeoutMs } = options;
  const clients = clientCertificates && { required: clientCertificates.required };
  const settings = { minVersion, alpn, clients };
  const engine = options.engine === "runtime" ? undefined : OpenSslEngine.open(settings);
  if (engine === undefined && options.engine === "openssl") throw new TypeError(NO_OPENSSL);
  return {
    open: engine ? opener(engine, options) : opener(new RuntimeEngine(settings), options),
    handshakeTimeoutMs,
    failures: 0,
    faults: new FaultLog("tls: no session could be opened"),
  };
}

function opener<C>(
  engine: TlsEngine<C>,
  { certificates, clientCertificates }: z.output<typeof tlsOptionsSchema>,
): Server["open"] {
  const renewed = new RenewedCertificates({
    certificates,
    ca: clientCertificates?.ca,
    load: (material, ca) => engine.load(material, ca),
  });
  return async (c) => await engine.open(c, renewed.current(c.clock.now(), c.log));
}

async function serve(c: Context, next: Next, server: Server): Promise<void> {
  const session = await server.open(c).catch((error: Error) => {
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
  const giveUp = () => socket.abort(new Error("the handshake took too long"));
  try {
    const secured = () => session.secure();
    c.set(TLS_INFO, await withTimeout(clock, server.handshakeTimeoutMs, giveUp, secured));
    return true;
  } catch (error) {
    log.info("tls: handshake failed", {
      remote: formatHostPort(socket.remoteAddr),
      reason: messageOf(error),
      failures: ++server.failures,
    });
    await session.refuse().catch(() => {});
    return false;
  }
}
