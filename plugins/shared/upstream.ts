/**
 * Connections of the stack that are relayed to an upstream.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import { TcpError } from "../../core/api/errors.ts";
import type { Context, Handler, TcpSocket } from "../../core/api/types.ts";
import { IdleTimeout } from "./idle_timeout.ts";
import { type Duplex, relay, relayTouching } from "./relay.ts";
import type { Slot } from "./shared_limit.ts";

/** Calls `ended` once the connection has ended or failed to open. */
export async function whenEnded(connecting: Promise<Duplex>, ended: () => void): Promise<Duplex> {
  try {
    const upstream = await connecting;
    upstream.closed.then(ended, ended);
    return upstream;
  } catch (error) {
    ended();
    throw error;
  }
}

/** Options of {@link relayTo}. */
export interface RelayOptions {
  /**
   * Milliseconds without a byte in either direction after which both connections are aborted.
   * Default: none.
   */
  idleTimeoutMs?: number | undefined;
  /** Sent to the upstream before the first byte of the client. */
  header?: ((socket: TcpSocket) => Uint8Array<ArrayBuffer>) | undefined;
  /** Gives way until the client has completed the handshake: the SYN may come from a forged address. */
  slot?: Slot | undefined;
}

/**
 * A handler that relays its connection to `upstream`, which was connected before the SYN was
 * answered. If `abandoned` is aborted before the handler runs, because the peer has given up or
 * another plugin has refused the connection, the upstream is aborted.
 */
export function relayTo(
  upstream: Duplex,
  abandoned: AbortSignal,
  { idleTimeoutMs, header, slot }: RelayOptions = {},
): Handler {
  const abandon = () => upstream.abort(abandoned.reason);
  abandoned.addEventListener("abort", abandon);
  slot?.setGivesWay(true);
  if (abandoned.aborted) abandon();
  return async ({ socket, clock, log }: Context) => {
    abandoned.removeEventListener("abort", abandon);
    slot?.setGivesWay(false);
    try {
      if (header !== undefined) await sendHeader(upstream, header(socket), socket);
      await relayWhileBusy(socket, upstream, clock, idleTimeoutMs);
    } catch (error) {
      log.debug("forwarded connection broke", { reason: messageOf(error) });
    }
  };
}

/**
 * Sends the header. If the client resets while the upstream has not accepted the header, the
 * upstream is aborted.
 */
async function sendHeader(upstream: Duplex, header: Uint8Array, socket: TcpSocket): Promise<void> {
  let isSending = true;
  socket.closed.catch((error: unknown) => isSending && upstream.abort(error));
  try {
    await upstream.write(header);
  } catch (error) {
    socket.abort(error);
    throw error;
  } finally {
    isSending = false;
  }
}

async function relayWhileBusy(
  socket: TcpSocket,
  upstream: Duplex,
  clock: Clock,
  idleTimeoutMs: number | undefined,
): Promise<void> {
  if (idleTimeoutMs === undefined) return await relay(socket, upstream);
  const idle = new IdleTimeout(clock, idleTimeoutMs, () => {
    const error = new TcpError("TIMED_OUT", `no byte for ${idleTimeoutMs} ms`);
    socket.abort(error);
    upstream.abort(error);
  });
  try {
    await relayTouching(socket, upstream, () => idle.touch());
  } finally {
    idle.stop();
  }
}
