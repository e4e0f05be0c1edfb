/**
 * The context of one connection's handlers.
 *
 * @module
 */
import { type Logger, withFields } from "../environment.ts";
import type { StackSocket } from "../tcp/tcp_socket.ts";
import type { Context } from "../types.ts";
import { type HandlerEnvironment, type OnEnd, SharedContext } from "./handler_context.ts";

/** The context that the handlers of one connection share. */
export class ConnectionContext extends SharedContext implements Context {
  readonly socket: StackSocket;

  /** `socket.environment` must be set already. */
  constructor(socket: StackSocket) {
    super();
    this.socket = socket;
  }

  protected override get environment(): HandlerEnvironment {
    return this.socket.environment!;
  }

  override get log(): Logger {
    const { localAddr: { port } } = this.socket;
    return this.lazy.log ??= withFields(this.environment.log, { port });
  }

  protected override onEnd(callback: OnEnd): void {
    this.socket.onEnd(() => callback());
  }
}
