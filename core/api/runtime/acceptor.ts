/**
 * Code that listeners and ports with plugins share: it asks for a decision about each SYN, and makes a socket for each
 * connection.
 *
 * @module
 */
import type { Binding } from "../../stack/binding_table.ts";
import type { Listener } from "../../stack/tcp/listener.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { RELEASED } from "../../tcp/tcb_flags.ts";
import { netAddr } from "../addresses.ts";
import { MAX_COUNT } from "../numbers.ts";
import type { ChainState } from "../moves/connection_record.ts";
import { bindError } from "../refusal_error.ts";
import type { ClosedListener } from "../tcp/connection_listener.ts";
import { StackSocket } from "../tcp/tcp_socket.ts";
import type { Handler, Syn, SynVerdict } from "../types.ts";
import { Cancellation, type CancelListener } from "./cancellation.ts";
import type { Driver } from "./driver.ts";
import type { HandlerEnvironment } from "./handler_context.ts";
import type { Owner } from "./owner_notifier.ts";
import { PendingSyn } from "./pending_syn.ts";

/** Callbacks of a port: the decision about SYNs, and the consumer of connections. */
export interface AcceptorHooks {
  /** Decides about a SYN; a rejection refuses it. Called only while the listener decides. */
  decide?(attempt: Attempt): Promise<SynVerdict>;
  /**
   * Called when {@link Acceptor.take} has connections. Returns true if the rest is to be offered
   * again in the next notification.
   */
  ready(): boolean;
  /** How to serve a connection that was thawed; `undefined`: this stack has other plugins for it. */
  thaw?(state: ChainState): ((socket: StackSocket) => void) | undefined;
}

/** A listener to open. */
export interface AcceptorOptions {
  readonly binding: Binding;
  readonly backlog: number;
  /** Whether a SYN is answered only after a decision. */
  readonly decides: boolean;
}

/**
 * Listens.
 *
 * @throws {TypeError} `backlog` is not valid.
 * @throws {TcpError} The binding is in use, or contains none of the stack's addresses.
 */
export function openAcceptor(
  driver: Driver,
  { binding, backlog, decides }: AcceptorOptions,
  hooks: AcceptorHooks,
): Acceptor {
  if (!(Number.isInteger(backlog) && backlog >= 1 && backlog <= MAX_COUNT)) {
    throw new TypeError(
      `tcpBacklog: ${backlog} is not a backlog; use a whole number from 1 to ${MAX_COUNT}`,
    );
  }
  const listener = driver.core.tcp.listen({ ...binding, backlog, decides });
  if (typeof listener === "string") {
    throw bindError(listener, "tcp", binding, driver.core.own);
  }
  return new Acceptor(listener, driver, hooks);
}

/** Owner of a listener in the core. */
export class Acceptor implements Owner {
  readonly listener: Listener;
  readonly #driver: Driver;
  readonly #hooks: AcceptorHooks;

  constructor(listener: Listener, driver: Driver, hooks: AcceptorHooks) {
    this.listener = listener;
    this.#driver = driver;
    this.#hooks = hooks;
    listener.handle = this;
  }

  /** The binding, with the port that was chosen if any free one was requested. */
  get binding(): Binding {
    return this.listener;
  }

  /** Starts at most one decision and one handler: each may run for a long time, and other owners wait. */
  onEvent(): void {
    const { listener } = this;
    const tcb = listener.takeUndecided();
    if (tcb !== undefined) void this.#decide(tcb);
    const takesMore = listener.ready.length > 0 && this.#hooks.ready();
    if (listener.undecided.length > 0 || (takesMore && listener.ready.length > 0)) {
      this.#driver.core.tcp.notifyLater(listener);
    }
  }

  /** Takes the oldest connection that has not been accepted. */
  take(): { socket: StackSocket; attempt: Attempt | undefined } | undefined {
    const tcb = this.listener.takeReady();
    if (tcb === undefined) return undefined;
    tcb.listener = undefined;
    const attempt = tcb.handle instanceof Attempt ? tcb.handle : undefined;
    const socket = new StackSocket(tcb, this.#driver, { closesWithPeer: false });
    attempt?.opened(socket);
    return { socket, attempt };
  }

  /** See {@link AcceptorHooks.thaw}. */
  thaw(state: ChainState): ((socket: StackSocket) => void) | undefined {
    return this.#hooks.thaw?.(state);
  }

  async #decide(tcb: Tcb): Promise<void> {
    const attempt = new Attempt(tcb);
    let verdict: SynVerdict = "refuse";
    try {
      verdict = await this.#hooks.decide!(attempt);
    } catch {
      // Refused: `decide` has logged why.
    }
    // Aborts `syn.signal`, so that plugins release what they prepared for the connection.
    if (verdict !== "accept") attempt.abandon();
    this.#driver.core.tcp.decide(tcb, verdict);
    this.#driver.touch();
  }

  close(): void {
    this.#driver.core.tcp.closeListener(this.listener);
    this.#driver.touch();
  }
}

/**
 * Shared, because a stack trace would cost more than everything else at the end of a connection.
 */
const ENDED = new DOMException("The connection or the attempt has ended", "AbortError");

/**
 * The owner of a connection from its SYN until it has a socket. Holds the SYN that the plugins
 * decide about, and the handler that they return. The core only knows that a decision is pending.
 *
 * Cancelled when the attempt fails, and at the end of the connection.
 */
export class Attempt extends Cancellation implements Owner, ClosedListener {
  /**
   * The handler that `onSyn` returned for this connection; `undefined`: the port's own handlers
   * run.
   */
  handler: Handler | undefined;
  /** The environment of the plugins that have decided; `undefined` for `stack.listen()`. */
  environment: HandlerEnvironment | undefined;
  /** Called once when the attempt has failed or its connection has ended. */
  onAbandoned: (() => void) | undefined;
  readonly #tcb: Tcb;
  #socket: StackSocket | undefined = undefined;
  #isWatching = false;

  constructor(tcb: Tcb) {
    super();
    this.#tcb = tcb;
    tcb.handle = this;
    this.onEvent();
  }

  /** The SYN that the plugins decide about. */
  get syn(): Syn {
    const { local, localPort, remote, remotePort } = this.#tcb;
    return new PendingSyn(netAddr(local, localPort), netAddr(remote, remotePort), this);
  }

  onEvent(): void {
    // A connection that was established is still accepted after it has ended, so its handler runs.
    if (this.#tcb.has(RELEASED) && this.#tcb.listener === undefined) this.abandon();
  }

  /**
   * The connection has a socket. A handler that `onSyn` returned may never run: earlier handlers of the
   * chain need not call `next()`.
   */
  opened(socket: StackSocket): void {
    this.#socket = socket;
    this.#watch();
  }

  /**
   * The handler runs. The socket keeps the attempt only if something has to be done at the end of the connection, since
   * a stack may have very many connections.
   */
  served(): void {
    this.onAbandoned?.();
    this.onAbandoned = this.handler = this.environment = undefined;
    if (this.isObserved) return;
    this.#socket?.removeClosedListener(this);
    this.#isWatching = false;
  }

  onClosed(): void {
    this.abandon();
  }

  abandon(): void {
    this.abort(ENDED);
    this.onAbandoned?.();
    this.onAbandoned = undefined;
  }

  override get signal(): AbortSignal {
    this.#watch();
    return super.signal;
  }

  override addEventListener(type: "abort", listener: CancelListener): void {
    super.addEventListener(type, listener);
    this.#watch();
  }

  #watch(): void {
    if (this.#isWatching || this.#socket === undefined) return;
    this.#isWatching = true;
    this.#socket.onClosed(this);
  }
}
