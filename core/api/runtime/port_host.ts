/**
 * A port with plugins: each connection runs through the port's chain of handlers.
 *
 * @module
 */
import { type Logger, withFields } from "../environment.ts";
import { messageOf, stackOf } from "../error_text.ts";
import { PeerFaultError, TcpError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import type { Chain } from "../plugin.ts";
import type { StackSocket } from "../tcp/tcp_socket.ts";
import type { Context, Handler, Syn, SynVerdict } from "../types.ts";
import type { Acceptor, Attempt } from "./acceptor.ts";
import { type HandlerEnvironment, type OnEnd, SharedContext } from "./handler_context.ts";
import { endOfChain, promised } from "./run_chain.ts";

/** Runs one port. */
export class PortHost {
  readonly #chain: Chain;
  readonly #environment: HandlerEnvironment;
  #acceptor: Acceptor | undefined;

  constructor(chain: Chain, environment: HandlerEnvironment) {
    this.#chain = chain;
    this.#environment = environment;
  }

  /** Sets the acceptor that connections are taken from; called once. */
  attach(acceptor: Acceptor): void {
    this.#acceptor = acceptor;
  }

  async decide(attempt: Attempt): Promise<SynVerdict> {
    const { syn } = attempt;
    const { stack, clock } = this.#environment;
    const log = withFields(this.#environment.log, { port: syn.local.port });
    try {
      const decision = await this.#chain.onSyn!(syn, { stack, log, clock });
      if (typeof decision === "function") {
        attempt.handler = decision;
        return "accept";
      }
      const remote = formatHostPort(syn.remote);
      log.debug(decision === "refuse" ? "connection refused" : "connection ignored", { remote });
      return decision;
    } catch (error) {
      logRefusal(log, syn, error);
      return "refuse";
    }
  }

  /** Serves one connection; the next one follows in the next notification. */
  ready(): true {
    const next = this.#acceptor?.take();
    if (next !== undefined) this.#serve(next.socket, next.attempt?.handler ?? this.#chain.handle);
    return true;
  }

  /** Allocates as little as possible for a waiting handler, since there may be very many. */
  #serve(socket: StackSocket, handler: Handler): void {
    const context = new ConnectionContext(socket, this.#environment);
    void promised(handler, context, endOfChain).then(
      () => void socket.close(),
      (error: unknown) => this.#handlerFailed(socket, error),
    );
  }

  /** A handler that throws aborts its own connection and no other. */
  #handlerFailed(socket: StackSocket, error: unknown): void {
    const { hasFailed } = socket;
    socket.abort(error);
    // The handler is not at fault if the peer disconnected or broke the protocol, or if the
    // connection was aborted for another reason.
    if (error instanceof PeerFaultError) return this.#logPeerFault(socket, error);
    if (!hasFailed || socket.abortReason === error) this.#logFailure(socket, error);
  }

  #logPeerFault(
    { localAddr: { port }, remoteAddr }: StackSocket,
    { message: reason }: Error,
  ): void {
    const remote = formatHostPort(remoteAddr);
    this.#environment.log.debug("connection lost", { port, remote, reason });
  }

  #logFailure(socket: StackSocket, error: unknown): void {
    this.#environment.log.error("handler failed, its connection was aborted", {
      port: socket.localAddr.port,
      remote: formatHostPort(socket.remoteAddr),
      error: messageOf(error),
      stack: stackOf(error),
    });
  }
}

/** Logs that the decision about a SYN has thrown. */
export function logRefusal(log: Logger, { remote }: Syn, error: unknown): void {
  log.info("connection refused", {
    remote: formatHostPort(remote),
    reason: messageOf(error),
    // A TcpError is a deliberate refusal, so its stack is of no interest.
    stack: error instanceof TcpError ? undefined : stackOf(error),
  });
}

/** What the handlers of one connection share. */
class ConnectionContext extends SharedContext implements Context {
  readonly socket: StackSocket;

  constructor(socket: StackSocket, environment: HandlerEnvironment) {
    super(environment);
    this.socket = socket;
  }

  override get log(): Logger {
    const { localAddr: { port } } = this.socket;
    return this.asked.log ??= withFields(this.environment.log, { port });
  }

  protected override onEnd(callback: OnEnd): void {
    this.socket.onEnd(() => callback());
  }
}
