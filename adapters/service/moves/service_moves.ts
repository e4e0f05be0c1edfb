/**
 * Moves connections between this service and others: receives those of other services, and moves its own to them.
 *
 * @module
 */
import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import type { Logger } from "../../../core/api/environment.ts";
import { formatHostPort } from "../../../core/api/host_port.ts";
import type { FrozenConnection } from "../../../core/api/moves/types.ts";
import type { PeerGroup } from "../../../core/stack/peers/peer_group.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { type NativeSockets, nativeSockets } from "../../host/native/sockets.ts";
import { listening, ReopeningServer } from "../../host/reopening_server.ts";
import { messageLine, UsageError } from "../errors.ts";
import { limitLines } from "../log/flow_log.ts";
import { readSecret } from "../peers/secret.ts";
import {
  type MoveAddress,
  type MovesSetting,
  parseMoveAddress,
} from "../settings/moves_setting.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import type { ReceivingStack } from "./move_in.ts";
import type { MoveOut, MoveReport, SendingStack } from "./move_out.ts";
import { bindPrivately } from "../private_socket.ts";
import { reasonsText } from "./reasons_text.ts";
import { SealedChannel } from "./sealed_channel.ts";
import { IncomingSession, OutgoingSession, type Send, type Session } from "./sessions.ts";

/** Maximum number of incoming channels, with and without the secret. */
const MAX_SESSIONS = 16;
/** Packets are dropped while this many bytes wait for the channel. */
const MAX_WAITING_BYTES: number = 16 * 1024 * 1024;
/**
 * Interval in milliseconds at which connections are forgotten if their packets reach the new instance through the peers.
 */
const RELEASE_MS = 10_000;

/** Rate of log lines about clients without the secret: one a minute, after a burst of five. */
const STRANGERS = { perSecond: 1 / 60, burst: 5 };

/** The moves of one service. */
export class ServiceMoves {
  readonly #stack: SendingStack & ReceivingStack;
  readonly #place: MoveAddress | undefined;
  readonly #secret: string;
  readonly #log: Logger;
  /** The log for lines that anyone who reaches the port can cause. */
  readonly #strangersLog: Logger;
  readonly #channels = new Set<SealedChannel>();
  readonly #sockets = new Set<Socket>();
  /** The channels to services that have connections of this one. */
  readonly #outgoing = new Map<SealedChannel, MoveOut>();
  #server: ReopeningServer | undefined;
  #path: string | undefined;
  readonly #releasing: ReturnType<typeof setInterval> | undefined;

  /**
   * `peers` are the other instances, which announce the connections that they have received.
   *
   * @throws {UsageError} The secret cannot be used. */
  constructor(
    stack: SendingStack & ReceivingStack,
    setting: MovesSetting,
    log: Logger,
    peers?: PeerGroup,
  ) {
    this.#stack = stack;
    this.#place = setting.listen;
    this.#secret = readSecret(setting.secretFile, "moves.secretFile", log);
    this.#log = log;
    this.#strangersLog = limitLines(log, STRANGERS);
    if (peers === undefined) return;
    this.#releasing = setInterval(() => this.#releaseAnnounced(peers), RELEASE_MS);
    this.#releasing.unref();
  }

  /**
   * Starts to receive connections of other services at the address of the setting, unless it does so already.
   *
   * @throws {UsageError} Another service listens there, or the path is that of another file.
   * @throws {Error} The address is not available.
   */
  async listen(): Promise<void> {
    const place = this.#place;
    if (place === undefined || this.#server !== undefined) return;
    const isPath = "path" in place;
    const server = this.#server = new ReopeningServer({
      log: this.#log,
      name: `moves.listen ${isPath ? `unix:${place.path}` : formatHostPort(place)}`,
      create: () => createServer((socket) => void this.#accept(socket)),
      bind: async (created) => {
        if (isPath) {
          await bindPrivately(place.path, "moves.listen", (path) => listening(created, { path }));
        } else await listening(created, { host: place.hostname, port: place.port });
      },
    });
    try {
      await server.open();
    } catch (error) {
      if (isPath) throw error;
      throw new Error(`moves.listen ${formatHostPort(place)}: ${messageLine(error)}`);
    }
    if (isPath) this.#path = place.path;
  }

  /**
   * Moves up to `limit` connections that can move to another service, and passes on the packets that still arrive for
   * them, until {@link endRedirects}, or until the peers send them to that service themselves. `joined` is called
   * once the other service has answered.
   *
   * @throws {UsageError} `text` is not an address.
   * @throws {Error} The other service cannot be reached, or has another secret or version.
   */
  async moveTo(
    text: string,
    joined: () => void = () => {},
    limit: number = Infinity,
  ): Promise<MoveReport> {
    const place = parseMoveAddress(text);
    if (place === undefined) {
      throw new UsageError(`--to ${text}: expected unix:PATH or HOST:PORT such as 192.0.2.11:7947`);
    }
    const { channel, handler } = await this.#join(place).catch((error) => {
      throw new Error(`cannot move connections to ${text}: ${messageLine(error)}`);
    });
    joined();
    const report = await handler.out.move(limit);
    const { moved, stayed, lost, pauseMs: { p99, max }, reasons } = report;
    const pause = { pauseP99Ms: p99, pauseMaxMs: max };
    const fields = { to: text, moved, stayed, lost, ...pause, reasons: reasonsText(reasons) };
    this.#log.info("connections moved", fields);
    if (report.moved === 0) channel.close();
    else this.#outgoing.set(channel, handler.out);
    return report;
  }

  /** Called when packets of the connections that have moved reach the other services directly. */
  endRedirects(): void {
    for (const [channel, out] of this.#outgoing) {
      out.release();
      channel.close();
    }
    this.#outgoing.clear();
  }

  /** Forgets the connections whose new instance the other instances know. */
  #releaseAnnounced(peers: PeerGroup): void {
    const isKnown = ({ localAddr, remoteAddr }: FrozenConnection) =>
      peers.hasMoved({
        local: IpAddress.parse(localAddr.hostname)!,
        localPort: localAddr.port,
        remote: IpAddress.parse(remoteAddr.hostname)!,
        remotePort: remoteAddr.port,
      });
    for (const [channel, out] of this.#outgoing) {
      if (out.release(isKnown) > 0) continue;
      channel.close();
      this.#outgoing.delete(channel);
    }
  }

  /** Stops listening for other services. */
  stopListening(): void {
    void this.#server?.close();
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
    this.#server = this.#path = undefined;
  }

  /** Ends all sessions, so that packets are no longer passed on. */
  close(): void {
    this.stopListening();
    clearInterval(this.#releasing);
    for (const channel of this.#channels) channel.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #join(place: MoveAddress): Promise<{ channel: SealedChannel; handler: OutgoingSession }> {
    const socket = await connected(place);
    const options = { log: this.#log, sockets: socketsFor(place) };
    return await this.#open(
      socket,
      "client",
      (send) => new OutgoingSession(this.#stack, { ...options, send }),
    );
  }

  async #accept(socket: Socket): Promise<void> {
    if (this.#sockets.size >= MAX_SESSIONS) return void socket.destroy();
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    const options = { log: this.#log, sockets: socketsFor(this.#place!) };
    try {
      const { handler } = await this.#open(
        socket,
        "server",
        (send) => new IncomingSession(this.#stack, { ...options, send }),
      );
      handler.begin();
    } catch (error) {
      this.#strangersLog.warn("another service was refused", { reason: messageLine(error) });
    }
  }

  /** Opens a channel, and passes its messages to the receiver that `make` creates. */
  async #open<Handler extends Session>(
    socket: Socket,
    role: "client" | "server",
    make: (send: Send) => Handler,
  ): Promise<{ channel: SealedChannel; handler: Handler }> {
    const opened: { channel?: SealedChannel } = {};
    const early: Uint8Array[] = [];
    const handler = make((message) => {
      const { channel } = opened;
      if (channel === undefined) return false;
      const isLate = message.type === "packet" && channel.waitingBytes > MAX_WAITING_BYTES;
      return !isLate && channel.send(encodeMessage(message));
    });
    const take = (frame: Uint8Array) => {
      const message = decodeMessage(frame);
      if (message !== undefined && handler.receive(message)) return;
      // The other side has the secret, so an invalid message means that it is faulty.
      this.#log.warn("a channel for moves was closed", { reason: "unknown message" });
      opened.channel?.close();
    };
    const channel = await SealedChannel.open(socket, role, this.#secret, {
      frame: (bytes) => opened.channel === undefined ? early.push(bytes) : take(bytes),
      ended: (reason) => {
        if (opened.channel !== undefined) this.#channels.delete(opened.channel);
        if (reason !== undefined) this.#log.debug("a channel for moves has ended", { reason });
        handler.end();
      },
    });
    opened.channel = channel;
    this.#channels.add(channel);
    for (const frame of early) take(frame);
    return { channel, handler };
  }
}

/** The sockets of the host, if they can be passed because both sides are on one machine. */
function socketsFor(place: MoveAddress): NativeSockets | undefined {
  return "path" in place ? nativeSockets() : undefined;
}

function connected(place: MoveAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = "path" in place
      ? connect(place.path)
      : connect({ host: place.hostname, port: place.port });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
