/**
 * Connections of the stack that are relayed to an upstream.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { TcpError } from "../../core/api/errors.ts";
import type { CancelSignal } from "../../core/api/runtime/cancellation.ts";
import type { Context, Handler, TcpSocket } from "../../core/api/types.ts";
import { IdleTimeout } from "./idle_timeout.ts";
import { type Duplex, type RelayOwner, startRelay } from "./relay.ts";
import type { Slot } from "./shared_limit.ts";

/** Options of {@link relayTo}. */
export interface RelayOptions {
  /**
   * Milliseconds without a byte in either direction after which both connections are aborted.
   * Default: none.
   */
  idleTimeoutMs?: number | undefined;
  /** Sent to the upstream before the first byte of the client. */
  header?: ((socket: TcpSocket) => Uint8Array<ArrayBuffer>) | undefined;
  /** A slot that gives way until the client has completed the handshake: the SYN may come from a forged address. */
  slot?: Slot | undefined;
  /** Called when the relay starts. */
  onRelay?: ((socket: TcpSocket) => void) | undefined;
}

/**
 * A handler that relays its connection to `upstream`, which was connected before the SYN was
 * answered. If `abandoned` is aborted before the handler runs, because the peer has given up or
 * another plugin has refused the connection, the upstream is aborted.
 */
export function relayTo(
  upstream: Duplex,
  abandoned: CancelSignal,
  options: RelayOptions = {},
): Handler {
  const { header, slot } = options;
  const abandon = () => upstream.abort(abandoned.reason);
  abandoned.addEventListener("abort", abandon);
  slot?.setGivesWay(true);
  if (abandoned.aborted) abandon();
  return (c: Context) => {
    abandoned.removeEventListener("abort", abandon);
    slot?.setGivesWay(false);
    if (header === undefined) return relayed(c, upstream, options);
    return sendHeader(upstream, header(c.socket), c.socket).then(
      () => relayed(c, upstream, options),
      (error) => logBroken(c, error),
    );
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

/**
 * Relays; resolves when both connections have ended, or the upstream is held for a move. A single promise, since
 * very many connections may be idle.
 */
export function relayed(
  c: Context,
  upstream: Duplex,
  { idleTimeoutMs, onRelay }: Pick<RelayOptions, "idleTimeoutMs" | "onRelay">,
): Promise<void> {
  return new Promise((resolve) => {
    onRelay?.(c.socket);
    const owner = idleTimeoutMs === undefined
      ? new RelayedConnection(c, resolve)
      : new WatchedConnection(c, resolve, upstream, idleTimeoutMs);
    startRelay(c.socket, upstream, owner);
  });
}

/** A relay that ends with its handler. */
class RelayedConnection implements RelayOwner {
  readonly #c: Context;
  readonly #resolve: () => void;

  constructor(c: Context, resolve: () => void) {
    this.#c = c;
    this.#resolve = resolve;
  }

  touch(): void {}

  ended(error: unknown): void {
    if (error !== undefined) logBroken(this.#c, error);
    this.#resolve();
  }
}

/** Aborts both connections after a time without a byte. */
class WatchedConnection extends RelayedConnection {
  readonly #idle: IdleTimeout;

  constructor(c: Context, resolve: () => void, upstream: Duplex, idleTimeoutMs: number) {
    super(c, resolve);
    this.#idle = new IdleTimeout(c.clock, idleTimeoutMs, () => {
      const error = new TcpError("TIMED_OUT", `no byte for ${idleTimeoutMs} ms`);
      c.socket.abort(error);
      upstream.abort(error);
    });
  }

  override touch(): void {
    this.#idle.touch();
  }

  override ended(error: unknown): void {
    this.#idle.stop();
    super.ended(error);
  }
}

function logBroken({ log }: Context, error: unknown): void {
  log.debug("forwarded connection broke", { reason: messageOf(error) });
}
