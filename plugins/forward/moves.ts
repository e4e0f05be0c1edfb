/**
 * Forwarded connections that move to another process on the same machine, together with the host sockets to
 * their targets.
 *
 * @module
 */
import { z } from "zod";
import { TcpError } from "../../core/api/errors.ts";
import { count } from "../../core/api/numbers.ts";
import type { Attachment, JsonValue } from "../../core/api/moves/types.ts";
import type { Context, TcpSocket } from "../../core/api/types.ts";
import type { MovableConnection } from "../shared/host_network.ts";
import type { Duplex, NonBlockingReader } from "../shared/relay.ts";
import type { SharedLimit } from "../shared/shared_limit.ts";
import { relayed } from "../shared/upstream.ts";
import type { Target } from "./target.ts";

/** The state that another process needs besides the socket. */
const stateSchema = z.strictObject({
  /** The name of the target. */
  target: z.string(),
  /** Number of the client's bytes that count as unread but have already been sent to the target. */
  sent: count(0),
});

/** A connection that is relayed. */
interface Running {
  readonly upstream: Duplex;
  readonly target: Pick<Target, "name">;
}

/** The moves of the connections of one `forward`. */
export class ForwardMoves {
  readonly #targets: readonly Target[];
  readonly #idleTimeoutMs: number | undefined;
  readonly #also: readonly SharedLimit[] | undefined;
  readonly #running = new WeakMap<TcpSocket, Running>();

  /** `also`: further limits that a connection counts against. */
  constructor(
    targets: readonly Target[],
    idleTimeoutMs: number | undefined,
    also: readonly SharedLimit[] | undefined,
  ) {
    this.#targets = targets;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#also = also;
  }

  /** The relay of a connection has started. */
  started(socket: TcpSocket, running: Running): void {
    this.#running.set(socket, running);
  }

  /** See `Plugin.freeze`. */
  freeze(socket: TcpSocket, attach: (attachment: Attachment) => void): JsonValue | undefined {
    const running = this.#running.get(socket);
    // The PROXY header has not been written yet, so the relay has not started.
    if (running === undefined) return undefined;
    const { upstream, target: { name } } = running;
    if (!isMovable(upstream)) {
      throw new TcpError(
        "NOT_MOVABLE",
        `forward has a connection to ${name} that cannot be passed on`,
      );
    }
    attach(upstream);
    return { target: name, sent: upstream.acceptedOfWrite };
  }

  /** See `Plugin.thaw`. */
  async thaw(c: Context, state: JsonValue, attachment: Attachment | undefined): Promise<void> {
    const { target: name, sent } = stateSchema.parse(state);
    const upstream = attachment as Duplex & Attachment | undefined;
    if (upstream === undefined || !isMovable(upstream)) {
      throw new Error("its connection to the target is missing");
    }
    skipUnread(c.socket, sent);
    // The targets may have changed since; the connection keeps the one that it has.
    const target = this.#targets.find((each) => each.name === name);
    target?.limit.enterMoved(c.socket.remoteAddr.hostname, upstream, { also: this.#also });
    target?.connected(upstream);
    upstream.resume();
    await relayed(c, upstream, {
      idleTimeoutMs: this.#idleTimeoutMs,
      onRelay: (socket) => this.started(socket, { upstream, target: { name } }),
    });
  }
}

function isMovable(connection: Duplex): connection is MovableConnection {
  return "acceptedOfWrite" in connection;
}

/** Discards bytes of the client that have already been sent to the target. */
function skipUnread(socket: TcpSocket, count: number): void {
  const { tryView, consume } = socket as TcpSocket & Partial<NonBlockingReader>;
  for (let left = count; left > 0;) {
    const view = tryView?.call(socket);
    if (view == null) throw new Error(`${left} bytes of the client are missing`);
    const skipped = Math.min(left, view.length);
    consume!.call(socket, skipped);
    left -= skipped;
  }
}
