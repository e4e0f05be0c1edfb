/**
 * Freezes connections of one stack, and thaws those of others.
 *
 * @module
 */
import type { MovedConnection } from "../../stack/tcp/moved_connections.ts";
import { frozenReader, frozenWriter, withHeader } from "../../tcp/frozen/format.ts";
import { Tcb } from "../../tcp/tcb.ts";
import { messageOf } from "../error_text.ts";
import { TcpError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import { Acceptor } from "../runtime/acceptor.ts";
import type { Driver } from "../runtime/driver.ts";
import { ConnectionContext } from "../runtime/connection_context.ts";
import type { HandlerEnvironment } from "../runtime/handler_context.ts";
import { macrotask } from "../runtime/macrotask.ts";
import { serveConnection } from "../runtime/serve_connection.ts";
import { StackSocket } from "../tcp/tcp_socket.ts";
import type { TcpSocket } from "../types.ts";
import {
  type ChainState,
  EMPTY_RECORD,
  MAX_PENDING_BYTES,
  MAX_STATE_BYTES,
  type PluginState,
  type SocketState,
  visitApiRecord,
} from "./connection_record.ts";
import { StackFrozenConnection } from "./frozen_connection.ts";
import type { Attachment, FrozenConnection } from "./types.ts";

/** Moves of the connections of one stack. */
export class Moves {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** See `Stack.freeze`. */
  async freeze(
    socket: StackSocket,
    carries: (attachment: Attachment) => boolean,
  ): Promise<FrozenConnection> {
    const ready = await this.#ready(socket, carries);
    const { attachments } = ready.chain ?? NO_CHAIN;
    const { record, moved } = this.#leave(socket, ready);
    const frozenAt = this.#driver.now();
    const { environment } = socket;
    // Its plugins are not disposed while it may resume.
    environment?.handlerSet.enter();
    return new StackFrozenConnection(record, attachments, moved, this.#driver, {
      plugin: environment?.handlerSet.name,
      resume: () => this.#resume(record, this.#driver.now() - frozenAt, attachments, environment),
      over: () => environment?.handlerSet.leave(),
    });
  }

  /**
   * Serves a connection with the plugins that its port has now.
   *
   * @throws {TcpError} `NOT_MOVABLE`: its present plugins, or those of the port, do not take part. It continues as
   * before.
   */
  async replaceHandlers(socket: StackSocket): Promise<void> {
    const ready = await this.#ready(socket, () => true);
    const { chain } = ready;
    if (chain === undefined) throw notMovable(socket, "no plugin serves it");
    const { tcb } = socket;
    if (this.#serverFor(tcb, chain) === undefined) {
      throw notMovable(socket, notServed(tcb, chain.plugins));
    }
    const { record } = this.#leave(socket, ready);
    this.#enter(this.#read(record, 0, { attachments: chain.attachments }));
  }

  /**
   * The parts of a connection's record that follow the fields of the core.
   *
   * @throws {TcpError} `NOT_MOVABLE`: it cannot move now.
   */
  async #ready(
    socket: StackSocket,
    carries: (attachment: Attachment) => boolean,
  ): Promise<ReadyConnection> {
    // Lets handlers that were woken run first, so the handler is waiting when `freeze` of its plugin is called.
    await macrotask();
    const reason = this.#driver.core.tcp.immovable(socket.tcb);
    if (reason !== undefined) throw notMovable(socket, reason);
    const state = socket.stateToMove();
    if (state.pending.length > MAX_PENDING_BYTES) {
      throw notMovable(socket, `${state.pending.length} bytes wait to be written`);
    }
    return { state, chain: this.#stateOf(socket, carries) };
  }

  /** Writes a connection's record, and ends the connection here. */
  #leave(
    { tcb }: StackSocket,
    { state, chain }: ReadyConnection,
  ): { record: Uint8Array<ArrayBuffer>; moved: MovedConnection } {
    const writer = frozenWriter({ now: this.#driver.now(), elapsedMs: 0 });
    const moved = this.#driver.core.tcp.freeze(tcb, writer);
    visitApiRecord({ socket: state, plugins: chain?.plugins }, writer);
    for (const attachment of chain?.attachments ?? []) attachment.hold();
    this.#driver.touch();
    return { record: withHeader(writer.take()), moved };
  }

  /** The state of the plugins; `undefined` if no handler serves the connection. */
  #stateOf(
    socket: StackSocket,
    carries: (attachment: Attachment) => boolean,
  ): ChainState | undefined {
    const { environment } = socket;
    if (environment === undefined || socket.isClosed) return undefined;
    const moves = environment.handlerSet.handlers.chain!.moves;
    const [other] = moves.others;
    if (other !== undefined) throw notMovable(socket, `${other} does not take part in moves`);
    const chain = this.#ask(socket, () => moves.freeze(new ConnectionContext(socket)));
    if (typeof chain === "string") throw notMovable(socket, `${chain} is busy with it`);
    if (!chain.attachments.every(carries)) {
      const { name } = chain.plugins.find(({ attachments }) => attachments > 0)!;
      throw notMovable(socket, `${name} has a socket of the host that cannot be passed on`);
    }
    for (const { name: plugin, state } of chain.plugins) {
      const size = new TextEncoder().encode(JSON.stringify(state)).length;
      if (size <= MAX_STATE_BYTES) continue;
      throw notMovable(
        socket,
        `the state of ${plugin} has ${size} bytes, more than ${MAX_STATE_BYTES}`,
      );
    }
    return chain;
  }

  #ask<T>(socket: StackSocket, freeze: () => T): T {
    try {
      return freeze();
    } catch (error) {
      if (error instanceof TcpError && error.code === "NOT_MOVABLE") {
        throw notMovable(socket, error.message);
      }
      throw notMovable(socket, `its plugin failed to freeze it: ${messageOf(error)}`);
    }
  }

  /** See `Stack.thaw`. */
  thaw(record: Uint8Array, elapsedMs: number, attachments: readonly Attachment[]): TcpSocket {
    return this.#enter(this.#read(record, elapsedMs, { attachments }));
  }

  #enter({ tcb, state, serve }: ReadConnection): TcpSocket {
    this.#driver.core.tcp.enterThawed(tcb, this.#driver.now());
    const socket = new StackSocket(tcb, this.#driver, { closesWithPeer: false, moved: state });
    serve?.(socket);
    this.#driver.touch();
    return socket;
  }

  /** Thaws a connection of this stack again. Its port may have other plugins by now, or none. */
  #resume(
    record: Uint8Array,
    elapsedMs: number,
    attachments: readonly Attachment[],
    home: HandlerEnvironment | undefined,
  ): TcpSocket {
    return this.#enter(this.#read(record, elapsedMs, { attachments, home }));
  }

  /** See `Stack.checkFrozen`. */
  check(record: Uint8Array): void {
    this.#driver.core.tcp.discardThawed(this.#read(record, 0, {}).tcb);
  }

  /** Reads a record into a connection that is not in the tables yet. */
  #read(
    record: Uint8Array,
    elapsedMs: number,
    { attachments, home }: ReadOptions,
  ): ReadConnection {
    const { tcp } = this.#driver.core;
    const reader = frozenReader(record, { now: this.#driver.now(), elapsedMs });
    if (typeof reader === "string") throw invalid(reader);
    const tcb = tcp.thaw(reader);
    if (!(tcb instanceof Tcb)) {
      if (tcb.fault !== undefined) throw invalid(tcb.fault);
      throw new TcpError(tcb.refusal!, REFUSALS[tcb.refusal!]);
    }
    const { socket: state, plugins } = visitApiRecord(EMPTY_RECORD, reader);
    if (!reader.isAtEnd) reader.refuse("bytes follow its last field");
    const missing = missingAttachments(plugins ?? [], attachments);
    if (missing !== undefined) reader.refuse(missing);
    const chain = plugins && { plugins, attachments: attachments ?? [] };
    const serve = chain && (home ? serverAt(home, chain) : this.#serverFor(tcb, chain));
    if (reader.fault === undefined && (plugins === undefined || serve !== undefined)) {
      return { tcb, state, serve };
    }
    tcp.discardThawed(tcb);
    throw invalid(reader.fault ?? notServed(tcb, plugins!));
  }

  #serverFor(
    tcb: Tcb,
    chain: ChainState,
  ): ((socket: StackSocket) => void) | undefined {
    const acceptor = this.#driver.core.tcp.listenerFor(tcb)?.handle;
    return acceptor instanceof Acceptor ? acceptor.thaw(chain) : undefined;
  }
}

/** How to serve a connection with the plugins that it had. */
function serverAt(
  environment: HandlerEnvironment,
  chain: ChainState,
): ((socket: StackSocket) => void) | undefined {
  const handler = environment.handlerSet.handlers.chain!.moves.thaw(chain);
  return handler && ((socket) => serveConnection(socket, handler, environment));
}

/** A connection that can move now. */
interface ReadyConnection {
  readonly state: SocketState;
  /** `undefined`: no handler serves it. */
  readonly chain: ChainState | undefined;
}

/** Options for reading a record. */
interface ReadOptions {
  /** Absent: the record is only being checked. */
  readonly attachments?: readonly Attachment[];
  /** The plugins that served the connection; absent: those of its port. */
  readonly home?: HandlerEnvironment | undefined;
}

const NO_CHAIN: ChainState = { plugins: [], attachments: [] };

/** A connection that was read from a record. */
interface ReadConnection {
  readonly tcb: Tcb;
  readonly state: SocketState;
  /** Serves the connection with its plugins, if there are any. */
  readonly serve: ((socket: StackSocket) => void) | undefined;
}

const REFUSALS = {
  ADDRESS_IN_USE: "This stack has a connection between these addresses and ports",
  ADDRESS_NOT_AVAILABLE:
    "The local address of the frozen connection is not an address of this stack",
  INVALID_ADDRESS: "The remote address of the frozen connection is not a unicast address",
  INSUFFICIENT_RESOURCES:
    "This stack has as many connections as maxConnections allows, or has taken over as many " +
    "from its peers as it can announce",
} as const;

function notMovable(socket: StackSocket, why: string): TcpError {
  const { localAddr: local, remoteAddr: remote } = socket;
  const text = `The connection to ${formatHostPort(remote)} cannot be frozen: ${why}`;
  return new TcpError("NOT_MOVABLE", text, { local, remote });
}

function invalid(why: string): TcpError {
  return new TcpError("INVALID_RECORD", `The record cannot be thawed: ${why}`);
}

function notServed({ localPort }: Tcb, plugins: readonly PluginState[]): string {
  const names = plugins.map(({ name, version }) => version === 0 ? name : `${name} (${version})`);
  return `its port ${localPort} is not served by ${names.join(", ")} here: ` +
    "use() the same plugins first";
}

/** Why the number of attachments is wrong. */
function missingAttachments(
  plugins: readonly PluginState[],
  attachments: readonly Attachment[] | undefined,
): string | undefined {
  const count = plugins.reduce((sum, each) => sum + each.attachments, 0);
  if (attachments === undefined || attachments.length === count) return undefined;
  return `it has ${count} attachments, and ${attachments.length} were passed`;
}
