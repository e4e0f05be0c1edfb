/**
 * Freezes connections of one stack, and thaws those of others.
 *
 * @module
 */
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
  EMPTY_RECORD,
  MAX_PENDING_BYTES,
  MAX_STATE_BYTES,
  type PluginState,
  type SocketState,
  visitApiRecord,
} from "./connection_record.ts";
import { StackFrozenConnection } from "./frozen_connection.ts";
import type { FrozenConnection } from "./types.ts";

/** Moves of the connections of one stack. */
export class Moves {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** See `Stack.freeze`. */
  async freeze(socket: StackSocket): Promise<FrozenConnection> {
    // Handlers that were woken run first, so that each one waits when `freeze` of its plugin is called.
    await macrotask();
    const { tcb } = socket;
    const { tcp } = this.#driver.core;
    if (!tcp.canMove(tcb)) throw notMovable(socket, `it is in ${tcb.state}`);
    const state = socket.stateToMove();
    if (state.pending.length > MAX_PENDING_BYTES) {
      throw notMovable(socket, `${state.pending.length} bytes wait to be written`);
    }
    const plugins = this.#statesOf(socket);
    const writer = frozenWriter({ now: this.#driver.now(), elapsedMs: 0 });
    const moved = tcp.freeze(tcb, writer);
    visitApiRecord({ socket: state, plugins }, writer);
    const record = withHeader(writer.take());
    this.#driver.touch();
    const frozenAt = this.#driver.now();
    const { environment } = socket;
    // Its plugins are not disposed while it may resume.
    environment?.generation.enter();
    return new StackFrozenConnection(record, moved, this.#driver, {
      plugin: environment?.generation.name,
      resume: () => this.#resume(record, this.#driver.now() - frozenAt, environment),
      over: () => environment?.generation.leave(),
    });
  }

  /** What the plugins keep; `undefined` if no handler serves the connection. */
  #statesOf(socket: StackSocket): readonly PluginState[] | undefined {
    const { environment } = socket;
    if (environment === undefined || socket.isClosed) return undefined;
    const moves = environment.generation.handlers.chain?.moves;
    const { name } = environment.generation;
    if (moves === undefined) throw notMovable(socket, `${name} does not take part in moves`);
    const states = this.#ask(socket, () => moves.freeze(new ConnectionContext(socket)));
    if (states === undefined) throw notMovable(socket, `${name} is busy with it`);
    for (const { name: plugin, state } of states) {
      const size = new TextEncoder().encode(JSON.stringify(state)).length;
      if (size <= MAX_STATE_BYTES) continue;
      throw notMovable(
        socket,
        `the state of ${plugin} has ${size} bytes, more than ${MAX_STATE_BYTES}`,
      );
    }
    return states;
  }

  #ask<T>(socket: StackSocket, freeze: () => T): T {
    try {
      return freeze();
    } catch (error) {
      throw notMovable(socket, `its plugin failed to freeze it: ${messageOf(error)}`);
    }
  }

  /** See `Stack.thaw`. */
  thaw(record: Uint8Array, elapsedMs: number): TcpSocket {
    return this.#enter(this.#read(record, elapsedMs));
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
    environment: HandlerEnvironment | undefined,
  ): TcpSocket {
    return this.#enter(this.#read(record, elapsedMs, environment));
  }

  /** See `Stack.checkFrozen`. */
  check(record: Uint8Array): void {
    this.#driver.core.tcp.discardThawed(this.#read(record, 0).tcb);
  }

  /** Reads a record into a connection that is not in the tables yet. */
  #read(record: Uint8Array, elapsedMs: number, home?: HandlerEnvironment): ReadConnection {
    const { tcp } = this.#driver.core;
    const reader = frozenReader(record, { now: this.#driver.now(), elapsedMs });
    if (typeof reader === "string") throw invalid(reader);
    const tcb = tcp.thaw(reader);
    if (!(tcb instanceof Tcb)) {
      if (tcb.fault !== undefined) throw invalid(tcb.fault);
      throw new TcpError(tcb.refusal!, REFUSALS[tcb.refusal!]);
    }
    const { socket: state, plugins } = visitApiRecord(EMPTY_RECORD, reader);
    if (!reader.isAtEnd) reader.refuse("it has more bytes than fields");
    const serve = plugins && (home ? serverAt(home, plugins) : this.#serverFor(tcb, plugins));
    if (reader.fault === undefined && (plugins === undefined || serve !== undefined)) {
      return { tcb, state, serve };
    }
    tcp.discardThawed(tcb);
    throw invalid(reader.fault ?? missing(tcb, plugins!));
  }

  #serverFor(
    tcb: Tcb,
    plugins: readonly PluginState[],
  ): ((socket: StackSocket) => void) | undefined {
    const acceptor = this.#driver.core.tcp.listenerFor(tcb)?.handle;
    return acceptor instanceof Acceptor ? acceptor.thaw(plugins) : undefined;
  }
}

/** How to serve a connection with the plugins that it had. */
function serverAt(
  environment: HandlerEnvironment,
  plugins: readonly PluginState[],
): ((socket: StackSocket) => void) | undefined {
  const handler = environment.generation.handlers.chain?.moves?.thaw(plugins);
  return handler && ((socket) => serveConnection(socket, handler, environment));
}

/** What a record holds. */
interface ReadConnection {
  readonly tcb: Tcb;
  readonly state: SocketState;
  /** Serves the connection with its plugins, if there are any. */
  readonly serve: ((socket: StackSocket) => void) | undefined;
}

const REFUSALS = {
  ADDRESS_IN_USE: "This stack has a connection between these addresses and ports",
  ADDRESS_NOT_AVAILABLE: "The local address of the frozen connection is not one of this stack",
  INVALID_ADDRESS: "The remote address of the frozen connection is not one of a host",
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

function missing({ localPort }: Tcb, plugins: readonly PluginState[]): string {
  const names = plugins.map(({ name }) => name).join(", ");
  return `its port ${localPort} is not served by ${names} here: use() the same plugins first`;
}
