/**
 * A port with plugins: each connection runs through the port's chain of handlers.
 *
 * @module
 */
import { type Logger, withFields } from "../environment.ts";
import { messageOf, stackOf } from "../error_text.ts";
import { TcpError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import type { ChainState } from "../moves/connection_record.ts";
import type { Chain } from "../plugin.ts";
import type { StackSocket } from "../tcp/tcp_socket.ts";
import type { Handler, Syn, SynVerdict } from "../types.ts";
import type { Acceptor, Attempt } from "./acceptor.ts";
import type { HandlerEnvironment } from "./handler_context.ts";
import { serveConnection } from "./serve_connection.ts";

/** Runs one port with the handlers that it has at the time. */
export class PortHost {
  #environment: HandlerEnvironment;
  #acceptor: Acceptor | undefined;

  /** The handler set of `environment` must have a chain. */
  constructor(environment: HandlerEnvironment) {
    this.#environment = environment;
  }

  /** Sets the acceptor that connections are taken from; called once. */
  attach(acceptor: Acceptor): void {
    this.#acceptor = acceptor;
  }

  /**
   * Replaces the handlers. They serve the SYNs that await a decision and, if the old handlers did not
   * decide about SYNs, the connections not accepted yet. No connection that is being opened is lost.
   */
  replace(environment: HandlerEnvironment): void {
    this.#environment = environment;
    this.#acceptor!.listener.decides = this.#chain.onSyn !== undefined;
  }

  get #chain(): Chain {
    return this.#environment.handlerSet.handlers.chain!;
  }

  async decide(attempt: Attempt): Promise<SynVerdict> {
    const environment = this.#environment;
    const { handlerSet } = environment;
    attempt.environment = environment;
    handlerSet.enter();
    // The handler that the decision chooses runs after the handshake.
    attempt.onAbandoned = () => handlerSet.leave();
    const decision = await this.#ask(attempt.syn, environment);
    if (typeof decision !== "function") return decision;
    attempt.handler = decision;
    return "accept";
  }

  async #ask(
    syn: Syn,
    { handlerSet, stack, clock, counts, log: outer }: HandlerEnvironment,
  ): Promise<Handler | "refuse" | "ignore"> {
    const { handle, onSyn } = handlerSet.handlers.chain!;
    // The old plugins decided about SYNs and held this one back; the new ones do not decide.
    if (onSyn === undefined) return handle;
    const log = withFields(outer, { port: syn.local.port });
    handlerSet.enter();
    try {
      const decision = await onSyn(syn, { stack, log, clock });
      if (typeof decision === "function") return decision;
      counts.refused++;
      const remote = formatHostPort(syn.remote);
      log.debug(decision === "refuse" ? "connection refused" : "connection ignored", { remote });
      return decision;
    } catch (error) {
      counts.refused++;
      logRefusal(log, syn, error);
      return "refuse";
    } finally {
      handlerSet.leave();
    }
  }

  /** Serves one connection; the next one follows in the next notification. */
  ready(): true {
    const next = this.#acceptor?.take();
    if (next === undefined) return true;
    const { socket, attempt } = next;
    if (attempt !== undefined) this.#serveDecided(socket, attempt);
    else if (this.#chain.onSyn !== undefined) void this.#decideLate(socket);
    else serveConnection(socket, this.#chain.handle, this.#environment);
    return true;
  }

  /** How to serve a connection that was thawed; `undefined`: this stack has other plugins for it. */
  thaw(state: ChainState): ((socket: StackSocket) => void) | undefined {
    const handler = this.#chain.moves.thaw(state);
    if (handler === undefined) return undefined;
    return (socket) => serveConnection(socket, handler, this.#environment);
  }

  #serveDecided(socket: StackSocket, attempt: Attempt): void {
    const { handler, environment } = attempt;
    serveConnection(socket, handler!, environment!);
    attempt.served();
  }

  /** Lets new handlers that decide about SYNs decide about a connection that began before them. */
  async #decideLate(socket: StackSocket): Promise<void> {
    const environment = this.#environment;
    const controller = new AbortController();
    socket.onEnd(() => controller.abort());
    const { localAddr: local, remoteAddr: remote } = socket;
    const decision = await this.#ask({ local, remote, signal: controller.signal }, environment);
    if (typeof decision === "function") return serveConnection(socket, decision, environment);
    controller.abort();
    socket.abort();
  }
}

/** Logs that the decision about a SYN has thrown. */
export function logRefusal(
  log: Logger,
  { remote, signal }: Pick<Syn, "remote" | "signal">,
  error: unknown,
): void {
  const fields = { remote: formatHostPort(remote), reason: messageOf(error) };
  // A TcpError is a deliberate refusal, and an attempt may end while a plugin decides; anything else
  // is a fault of the plugin.
  if (error instanceof TcpError || signal.aborted) return log.info("connection refused", fields);
  log.error("connection refused", { ...fields, stack: stackOf(error) });
}
