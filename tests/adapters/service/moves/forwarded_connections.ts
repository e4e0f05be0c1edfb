/**
 * Connections of a stack that are forwarded to a server of the host, and move between two stacks with their
 * sockets, which are passed as descriptors.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { createServer, type Server, type Socket } from "node:net";
import { messageSocketPair } from "../../../../adapters/host/native/message_socket.ts";
import {
  MessageReceiver,
  MessageSender,
} from "../../../../adapters/host/native/descriptor_messages.ts";
import { hostNetwork } from "../../../../adapters/host/network.ts";
import { type NativeSockets, nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import type { Impairments } from "../../../../adapters/links/decorators/impair.ts";
import {
  attachmentsOf,
  descriptorsOf,
  isSocket,
} from "../../../../adapters/service/moves/attachments.ts";
import type { TcpOptions } from "../../../../core/api/config.ts";
import type { FrozenConnection } from "../../../../core/api/moves/types.ts";
import { type ForwardOptions, forwardThrough } from "../../../../plugins/forward.ts";
import { ThreeStacks } from "../../../core/api/moves/three_stacks.ts";

/** The port that is forwarded. */
export const PORT = 8080;
/** Maximum number of steps of one millisecond of virtual time. */
const MAX_STEPS = 200_000;

/** Two stacks that forward to one server of the host. Time is virtual except for the host's sockets. */
export class ForwardingStacks implements AsyncDisposable {
  readonly net: ThreeStacks;
  readonly sockets: NativeSockets = nativeSockets()!;
  readonly #accepted: Socket[] = [];
  #onAccepted: (socket: Socket) => void = () => {};
  readonly #server: Server;
  readonly #channel: readonly [number, number];

  private constructor(net: ThreeStacks, server: Server) {
    this.net = net;
    this.#server = server;
    this.#channel = messageSocketPair(this.sockets);
    server.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.pause();
      this.#accepted.push(socket);
      this.#onAccepted(socket);
    });
  }

  static async open(
    tcp: TcpOptions,
    impairments?: Impairments,
    options: Partial<ForwardOptions> = {},
  ): Promise<ForwardingStacks> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const net = new ThreeStacks(tcp, impairments);
    const forward = forwardThrough({ ...hostNetwork, routeIntoStack: undefined });
    for (const each of net.servers) {
      each.use(PORT, forward({ to: `127.0.0.1:${port}`, ...options }));
    }
    return new ForwardingStacks(net, server);
  }

  /** The server's end of the next connection. */
  accepts(): Promise<Socket> {
    return new Promise((resolve) => this.#onAccepted = resolve);
  }

  /** Lets virtual time pass, and the host's sockets work, until `promise` settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = () => isOver = true;
    promise.then(over, over);
    for (let step = 0; !isOver; step++) {
      if (step > MAX_STEPS) throw new Error("nothing more happens");
      await this.net.clock.advance(1);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    return await promise;
  }

  /** Lets `ms` milliseconds of virtual time pass. */
  async advance(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) await this.until(Promise.resolve());
  }

  async freeze(from: 0 | 1): Promise<FrozenConnection> {
    const [connection] = this.net.servers[from].connections();
    return await this.until(this.net.servers[from].freeze(connection!, { carries: isSocket }));
  }

  /** The descriptors of a frozen connection as another process gets them. */
  pass(frozen: FrozenConnection): readonly number[] {
    const [one, other] = this.#channel;
    const { host } = this.sockets;
    const sent = new MessageSender(host).send(
      one,
      new Uint8Array([1]),
      descriptorsOf(frozen.attachments),
    );
    if (sent !== 0) throw new Error(`sendmsg: error ${sent}`);
    return new MessageReceiver(host, 16).receive(other)!.descriptors;
  }

  /** Moves the only connection of a stack to the other, to which packets go from now on. */
  async move(from: 0 | 1, pauseMs = 0): Promise<void> {
    const to = this.net.servers[1 - from]!;
    const frozen = await this.freeze(from);
    const attachments = attachmentsOf(this.sockets, this.pass(frozen));
    await this.advance(pauseMs);
    to.thaw(frozen.record, { attachments, elapsedMs: pauseMs });
    frozen.redirect((packet, segmentSize) => to.receive(packet, { segmentSize }));
    this.net.route(from === 0 ? 1 : 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#accepted) socket.destroy();
    this.#server.close();
    await this.net[Symbol.asyncDispose]();
    for (const each of this.#channel) this.sockets.host.libc.close(each);
  }
}
