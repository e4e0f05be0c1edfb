/**
 * TCP ports of the host that lead into a stack.
 *
 * @module
 */
import { type Logger, systemClock } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { type Duplex, relay } from "../../../plugins/shared/relay.ts";
import { SharedLimit } from "../../../plugins/shared/shared_limit.ts";
import { type HostListener, listenHost } from "../../host/listen.ts";
import { socketLimits } from "../../host/socket_limits.ts";
import { addPort } from "../../host/stack_routes.ts";
import { messageLine } from "../errors.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";
import { openPort } from "./open_port.ts";

/**
 * Maximum number of concurrent connections per published port. At the limit, the client with the
 * most connections loses its oldest one to a client with fewer, and its own new connections are
 * reset.
 */
export const MAX_CONNECTIONS = 4096;

/** Limits of a published port. */
export interface PublishLimits {
  /** Maximum number of concurrent connections; default {@link MAX_CONNECTIONS}. */
  readonly maxConnections?: number | undefined;
  /** Idle time before a client is probed, in milliseconds; default two hours. */
  readonly keepAliveMs?: number | undefined;
  /** The descriptor of the port's socket, if another process has opened it. */
  readonly descriptor?: number | undefined;
}

/**
 * Connects to the address that a published port leads to, from the client's address if possible; gives
 * up when `signal` is aborted.
 */
export type Connect = (
  address: HostPort,
  signal: AbortSignal,
  client?: HostPort,
) => Promise<Duplex>;

/** An open port of the host. */
export interface PublishedPort {
  /** Its address on the host. */
  readonly address: HostPort;
  /** The address that it leads to. */
  readonly to: HostPort;
  /** `"udp"`; absent for TCP. */
  readonly transport?: "udp" | undefined;
}

/** A published port that can be closed. */
export interface Publication extends PublishedPort {
  /** Connects new clients to another address; open connections keep theirs. */
  redirect(to: HostPort): void;
  /** The descriptor of the port's socket; `undefined` if it cannot be passed to another process. */
  readonly descriptor: number | undefined;
  /** Number of current clients. */
  readonly running: number;
  /** Stops accepting clients until {@link resume}, so that another process with the same socket accepts them. */
  pause(): void;
  /** Accepts clients again. */
  resume(): void;
  /** Stops accepting connections. */
  stopListening(): void;
  /** Waits for open connections, for at most `graceMs`, which may be `Infinity`, and aborts the rest. */
  finish(graceMs: number): Promise<void>;
}

/**
 * Opens a port of the host. Each connection is relayed, half-closes and resets included, to one that
 * `connect` opens, and reset if that fails.
 *
 * @throws {Error} The port cannot be opened.
 */
export async function publish(
  setting: PublishSetting,
  connect: Connect,
  log: Logger,
  { maxConnections = MAX_CONNECTIONS, keepAliveMs, descriptor }: PublishLimits = {},
): Promise<Publication> {
  let { to } = setting;
  const running = new Map<Carried, Promise<void>>();
  const limit = new SharedLimit(maxConnections);
  const onConnection = (client: Duplex, from: HostPort | undefined) => {
    const carried: Carried = { client };
    const slot = limit.enter(from?.hostname ?? "", () => abort(carried), {
      also: socketLimits().connections,
    });
    if (slot === undefined) return client.abort();
    running.set(
      carried,
      serve(carried, to, connect, log, from).finally(() => {
        running.delete(carried);
        slot.leave();
      }),
    );
  };
  let listener: HostListener;
  const address = await openPort(setting, async (hostname, port) => {
    const options = { log, keepAliveMs, descriptor, onConnection };
    listener = await listenHost({ hostname, port }, options);
    return listener.address.port;
  });
  let forget = addPort("tcp", address, to);
  return {
    address,
    get to() {
      return to;
    },
    redirect(other) {
      to = other;
      forget();
      forget = addPort("tcp", address, to);
    },
    get descriptor() {
      return listener.descriptor;
    },
    get running() {
      return running.size;
    },
    pause: () => listener.pause?.(),
    resume: () => listener.resume?.(),
    stopListening() {
      forget();
      listener.close();
    },
    async finish(graceMs) {
      const abortAll = () => {
        for (const carried of running.keys()) abort(carried);
      };
      if (graceMs === Infinity) return void await Promise.all(running.values());
      const cancel = systemClock.schedule(systemClock.now() + graceMs, abortAll);
      await Promise.all(running.values());
      cancel();
    },
  };
}

/** The two connections of a client; `inner` is absent until it is open. */
interface Carried {
  readonly client: Duplex;
  inner?: Duplex;
}

function abort({ client, inner }: Carried): void {
  client.abort();
  inner?.abort();
}

async function serve(
  carried: Carried,
  to: HostPort,
  connect: Connect,
  log: Logger,
  from: HostPort | undefined,
): Promise<void> {
  const { client } = carried;
  const gone = new AbortController();
  client.closed.catch((error) => gone.abort(error));
  try {
    const inner = await connect(to, gone.signal, from);
    carried.inner = inner;
    await relay(client, inner);
  } catch (error) {
    client.abort(error);
    log.debug("published connection failed", {
      to: formatHostPort(to),
      reason: messageLine(error),
    });
  }
}
