/**
 * The receiving side of a move.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { Stack } from "../../../core/api/types.ts";
import { messageLine } from "../errors.ts";
import type { MoveMessage } from "./messages.ts";

/** The part of a stack that receives connections. */
export type ReceivingStack = Pick<Stack, "thaw" | "receive">;

/** Takes the connections of one session, each at its `commit`. */
export class MoveIn {
  readonly #stack: ReceivingStack;
  readonly #send: (message: MoveMessage) => unknown;
  readonly #log: Logger;
  /** Number of connections taken over. */
  #taken = 0;

  constructor(stack: ReceivingStack, send: (message: MoveMessage) => unknown, log: Logger) {
    this.#stack = stack;
    this.#send = send;
    this.#log = log;
  }

  /** Handles a message; returns false if it is not one for a receiver. */
  receive(message: MoveMessage): boolean {
    if (message.type === "ask") this.#send({ type: "ready", id: message.id });
    else if (message.type === "commit") this.#commit(message.id, message.record);
    else if (message.type === "packet") {
      this.#stack.receive(message.packet, { segmentSize: message.segmentSize });
    } else return false;
    return true;
  }

  /** The session has ended. */
  end(): void {
    if (this.#taken > 0) this.#log.info("connections received", { count: this.#taken });
    this.#taken = 0;
  }

  #commit(id: number, record: Uint8Array): void {
    try {
      this.#stack.thaw(record);
    } catch (error) {
      const reason = messageLine(error);
      this.#log.warn("a connection was not taken over", { reason });
      return void this.#send({ type: "refuse", id, reason });
    }
    this.#taken++;
    this.#send({ type: "done", id });
  }
}
