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
import { EvictedError, noSlot, SharedLimit } from "../../plugins/shared/shared_limit.ts";
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

/**
 * The key under which {@link tls} stores the {@link TlsInfo} of a connection.
 *
 * @example
 * ```ts
 * import type { Handler } from "@berth/berth";
 * import { TLS_INFO, type TlsInfo } from "@berth/berth/plugins";
 *
 * const greet: Handler = async (c) => {
 *   const { clientCertificate } = c.get<TlsInfo>(TLS_INFO)!;
 *   const name = clientCertificate?.commonName ?? "somebody";
 *   await c.socket.write(new TextEncoder().encode(`hello ${name}\n`));
 * };
 * greet.name; // stack.use(443, tls({ certificates }), greet)
 * ```
 */
export const TLS_INFO: unique symbol = Symbol("berth.tls");

/**
 * Terminates TLS 1.2 and 1.3, and passes the plaintext connection to the next plugin.
 *
 * SNI selects the certificate and ALPN the protocol. The next plugin reads the protocol from
 * `(await socket.opened).alpn`, and the other results of the handshake from {@link TLS_INFO}.
 * Half-closes are carried in both directions as close_notify. A connection that ends without
 * close_notify fails with `CONNECTION_RESET`, because the data may be truncated. Flow control works
 * end to end: at most a few hundred kilobytes are buffered for a slow reader. A failed handshake is
 * logged at level `info`, with the number of failures so far, and never reaches the next plugin.
 *
 * Changed files are picked up by the first client that connects a second or more after the last
 * check; established connections are not affected. Files that cannot be used are logged at level
 * `warn`, and the previous certificates stay in use.
 *
 * @throws {TypeError} An option is invalid, or a certificate or key cannot be used.
 *
 * @example
 * ```ts
 * import { execFileSync } from "node:child_process";
 * import { Duplex } from "node:stream";
 * import { connect } from "node:tls";
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo, tls } from "@berth/berth/plugins";
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
  'OpenSSL 3, pass --allow-ffi on Deno, or use "runtime"';

/**
 * Ephemeral key exchange and AEAD: what RFC 9113 9.2.2 does not prohibit. Clients may close an HTTP/2
 * connection that uses a prohibited cipher suite (INADEQUATE_SECURITY).
 */
const HTTP2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20";

interface Server {
  /** Begins a session with the current certificates. */
  readonly open: (c: Context) => Promise<TlsSession>;
  readonly handshakeTimeoutMs: number;
  /** Handshakes in progress. */
  readonly handshakes: SharedLimit;
  /** Number of failed handshakes. */
  failures: number;
  /** Logs sessions that failed for lack of resources of the host. */
  readonly faults: FaultLog;
}

function serverOf(options: z.output<typeof tlsOptionsSchema>): Server {
  const { alpn, minVersion, clientCertificates, handshakeTimeoutMs } = options;
  const clients = clientCertificates && { required: clientCertificates.required };
  const ciphers = alpn?.includes("h2") ? HTTP2_CIPHERS : undefined;
  const settings = { minVersion, alpn, ciphers, clients };
  const engine = options.engine === "runtime" ? undefined : OpenSslEngine.open(settings);
  if (engine === undefined && options.engine === "openssl") throw new TypeError(NO_OPENSSL);
  return {
    open: engine ? opener(engine, options) : opener(new RuntimeEngine(settings), options),
    handshakeTimeoutMs,
    handshakes: new SharedLimit(options.maxHandshakes),
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
  const { socket } = c;
  const evict = () => socket.abort(new EvictedError());
  const slot = server.handshakes.enter(socket.remoteAddr.hostname, evict);
  if (slot === undefined) return socket.abort(noSlot());
  let session: TlsSession | undefined;
  try {
    session = await open(c, server);
    const hasSecured = session !== undefined && await shakeHands(c, session, server);
    slot.leave();
    if (hasSecured) await next(session!.socket());
  } finally {
    slot.leave();
    session?.dispose();
  }
}

/** Begins a session; `undefined` if the host has no resources for it. */
function open(c: Context, server: Server): Promise<TlsSession | undefined> {
  return server.open(c).catch((error: Error) => {
    if (error instanceof PeerFaultError) throw error;
    server.faults.add(error, c.log);
    c.socket.abort(error);
    return undefined;
  });
}

/** Returns false if the handshake failed; the failure is logged and the alert is sent. */
async function shakeHands(c: Context, session: TlsSession, server: Server): Promise<boolean> {
  const { clock, socket, log } = c;
  const onTimeout = () => socket.abort(new Error("the handshake took too long"));
  try {
    const secured = () => session.secure();
    c.set(TLS_INFO, await withTimeout(clock, server.handshakeTimeoutMs, onTimeout, secured));
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
