/**
 * UDP ports of the host that lead into a stack.
 *
 * @module
 */
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import type { DatagramChannel } from "../../../plugins/shared/host_network.ts";
import { IdleTimeout } from "../../../plugins/shared/idle_timeout.ts";
import { relayDatagrams } from "../../../plugins/shared/relay_datagrams.ts";
import { SharedLimit, type Slot } from "../../../plugins/shared/shared_limit.ts";
import { DatagramInbox } from "../../host/datagram_inbox.ts";
import {
  type DatagramClient,
  type HostDatagramPort,
  listenHostDatagrams,
} from "../../host/datagram_port.ts";
import { addPort } from "../../host/stack_routes.ts";
import { messageLine } from "../errors.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";
import { openPort } from "./open_port.ts";
import type { Publication } from "./publish.ts";

/** Opens a UDP socket in the stack for a client, with the client's address if possible. */
export type DialDatagramsFor = (
  address: HostPort,
  signal: AbortSignal,
  client?: HostPort,
) => Promise<DatagramChannel>;

/** Options of a published UDP port. */
export interface PublishDatagramsOptions {
  /** The clock for idle clients; default: that of the runtime. */
  readonly clock?: Clock;
  /**
   * Maximum number of concurrent clients (address and port). At the limit a client of the address with
   * the most clients is evicted, or else the client that has been idle longest. Default 4096.
   */
  readonly maxFlows?: number;
  /** Milliseconds without a datagram after which a client is forgotten. Default 60 000. */
  readonly idleTimeoutMs?: number;
  /** The descriptor of the port's socket, if another process has opened it. */
  readonly descriptor?: number | undefined;
}

/**
 * Opens a UDP port of the host. Each client, an address and a port, has its own socket in the stack,
 * which `dial` opens, until it is idle.
 *
 * @throws {Error} The port cannot be opened.
 */
export async function publishDatagrams(
  setting: PublishSetting,
  dial: DialDatagramsFor,
  log: Logger,
  options: PublishDatagramsOptions = {},
): Promise<Publication> {
  const { descriptor } = options;
  const port = new PublishedUdpPort(setting, dial, log, options);
  let socket: HostDatagramPort;
  const address = await openPort(setting, async (hostname, wanted) => {
    socket = await listenHostDatagrams({ hostname, port: wanted }, {
      onError: (error) => log.error("cannot receive", { reason: messageLine(error) }),
      descriptor,
      onDatagram: (datagram, from) => port.take(datagram, from),
    });
    port.socket = socket;
    return socket.address.port;
  });
  let forget = addPort("udp", address, setting.to);
  return {
    address,
    get to() {
      return port.to;
    },
    transport: "udp",
    get descriptor() {
      return socket.descriptor;
    },
    redirect(to) {
      port.to = to;
      forget();
      forget = addPort("udp", address, to);
    },
    get running() {
      return port.clients;
    },
    pause: () => port.handOver(),
    resume: () => socket.resume(),
    // Flows have no end that could be waited for, so the port closes at once.
    stopListening() {
      forget();
      port.close();
    },
    finish: () => port.finished(),
  };
}

/** The clients of one port. */
class PublishedUdpPort {
  /** The socket, once it is open. */
  socket: HostDatagramPort | undefined;
  /** The address that new clients are connected to. */
  to: HostPort;
  readonly #dial: DialDatagramsFor;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #limit: SharedLimit;
  readonly #idleTimeoutMs: number;
  readonly #flows = new Map<string, { client: HostClient; served: Promise<void> }>();
  readonly #closing = new AbortController();

  constructor(
    setting: PublishSetting,
    dial: DialDatagramsFor,
    log: Logger,
    { clock = systemClock, maxFlows = 4096, idleTimeoutMs = 60_000 }: PublishDatagramsOptions,
  ) {
    this.to = setting.to;
    this.#dial = dial;
    this.#log = log;
    this.#clock = clock;
    this.#limit = new SharedLimit(maxFlows);
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** Number of clients. */
  get clients(): number {
    return this.#flows.size;
  }

  /**
   * Stops receiving from new clients, so that another process with the same socket receives from them, and opens a
   * socket for each current client. Until such a socket is connected, it may receive a datagram from a new client,
   * whose flow is then added during the loop.
   */
  handOver(): void {
    for (const { client } of this.#flows.values()) client.separate();
    if (this.socket?.handOver === undefined) return this.socket?.pause();
    this.socket.handOver();
    for (const { client } of this.#flows.values()) client.separate();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const { client } of this.#flows.values()) client.close();
    void this.socket?.close();
  }

  async finished(): Promise<void> {
    await Promise.all([...this.#flows.values()].map(({ served }) => served));
  }

  /** Handles a datagram of a client. */
  take(datagram: Uint8Array, from: DatagramClient): void {
    const name = formatHostPort(from);
    let flow = this.#flows.get(name);
    if (flow === undefined) {
      const client: HostClient = new HostClient(this.socket!, from);
      const evict = () => {
        client.close();
        this.#flows.delete(name);
      };
      // This always succeeds, because at least another flow of the same address can be evicted.
      const slot = this.#limit.enter(from.hostname, evict, { givesWay: true })!;
      flow = { client, served: this.#serve(client, slot, name, from) };
      this.#flows.set(name, flow);
    }
    flow.client.inbox.put(datagram);
  }

  async #serve(client: HostClient, slot: Slot, name: string, from: HostPort): Promise<void> {
    const idle = new IdleTimeout(this.#clock, this.#idleTimeoutMs, () => client.close());
    client.onDatagram = () => {
      idle.touch();
      slot.touch();
    };
    try {
      // `Promise.try` turns a synchronous throw into a rejection, so that `finally` runs after the flow is
      // registered.
      const dialled = Promise.try(() => this.#dial(this.to, this.#closing.signal, from));
      await relayDatagrams(client, await dialled);
    } catch (error) {
      this.#log.debug("published flow failed", { remote: name, reason: messageLine(error) });
    } finally {
      client.release();
      idle.stop();
      slot.leave();
      if (this.#flows.get(name)?.client === client) this.#flows.delete(name);
    }
  }
}

/** One client of the port. */
class HostClient implements DatagramChannel {
  readonly inbox: DatagramInbox = new DatagramInbox();
  onDatagram: () => void = () => {};
  readonly #socket: HostDatagramPort;
  readonly #address: DatagramClient;
  #own: { close(): void } | undefined;

  constructor(socket: HostDatagramPort, address: DatagramClient) {
    this.#socket = socket;
    this.#address = address;
  }

  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    const datagram = await this.inbox.receive();
    this.onDatagram();
    return datagram;
  }

  send(datagram: Uint8Array): Promise<number> {
    this.onDatagram();
    return this.#socket.send(datagram, this.#address);
  }

  /** Gives the client a socket of its own, if that is possible. */
  separate(): void {
    this.#own ??= this.#socket.separate?.(this.#address);
  }

  /** Closes the client's own socket. */
  release(): void {
    this.#own?.close();
  }

  close(): void {
    this.inbox.discard();
  }
}
