/**
 * The receiving side of a move.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { Attachment } from "../../../core/api/moves/types.ts";
import type { Stack } from "../../../core/api/types.ts";
import { messageLine } from "../errors.ts";
import type { MoveMessage } from "./messages.ts";

/** Maximum number of reasons of refusals that a session logs. */
const MAX_LOGGED = 16;

/** The part of a stack that receives connections. */
export type ReceivingStack = Pick<Stack, "thaw" | "receive">;

/** Takes over the connections of one session, each when its `commit` arrives. */
export class MoveIn {
  readonly #stack: ReceivingStack;
  readonly #send: (message: MoveMessage) => unknown;
  readonly #log: Logger;
  /** The reasons that were logged. */
  readonly #refusals = new Set<string>();
  /** Number of connections taken over. */
  #taken = 0;

  constructor(stack: ReceivingStack, send: (message: MoveMessage) => unknown, log: Logger) {
    this.#stack = stack;
    this.#send = send;
    this.#log = log;
  }

  /**
   * Handles a message; returns false if the message is not for a receiver. `attachments` returns the attachments that
   * came with a connection, or throws.
   */
  receive(message: MoveMessage, attachments: () => readonly Attachment[] = () => []): boolean {
    if (message.type === "ask") this.#send({ type: "ready", id: message.id });
    else if (message.type === "commit") this.#commit(message.id, message.record, attachments);
    else if (message.type === "packet") {
      this.#stack.receive(message.packet, { segmentSize: message.segmentSize });
    } else return false;
    return true;
  }

  /** Logs each reason once, because the sender may try again many times. */
  #logRefusal(reason: string): void {
    if (this.#refusals.has(reason) || this.#refusals.size >= MAX_LOGGED) return;
    this.#refusals.add(reason);
    this.#log.warn("a connection was not taken over", { reason });
  }

  /** Called when the session has ended. */
  end(): void {
    if (this.#taken > 0) this.#log.info("connections received", { count: this.#taken });
    this.#taken = 0;
  }

  #commit(id: number, record: Uint8Array, attach: () => readonly Attachment[]): void {
    let attachments: readonly Attachment[] = [];
    try {
      attachments = attach();
      this.#stack.thaw(record, { attachments });
    } catch (error) {
      for (const attachment of attachments) attachment.release();
      const reason = messageLine(error);
      this.#logRefusal(reason);
      return void this.#send({ type: "refuse", id, reason });
    }
    this.#taken++;
    this.#send({ type: "done", id });
  }
}
