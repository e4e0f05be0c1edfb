/**
 * The receiving side of a move.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { Stack } from "../../../core/api/types.ts";
import { messageLine } from "../errors.ts";
import type { MoveMessage } from "./messages.ts";

/** Maximum number and size of records that were offered and not committed yet. */
const MAX_OFFERED = 4096;
const MAX_OFFERED_BYTES: number = 256 * 1024 * 1024;

/** The part of a stack that receives connections. */
export type ReceivingStack = Pick<Stack, "thaw" | "checkFrozen" | "receive">;

/**
 * Takes the connections of one session. A connection becomes this stack's at `commit`: until then it
 * is only a record here, which is dropped if the session ends.
 */
export class MoveIn {
  readonly #stack: ReceivingStack;
  readonly #send: (message: MoveMessage) => unknown;
  readonly #log: Logger;
  readonly #offered = new Map<number, Uint8Array>();
  #offeredBytes = 0;
  /** Number of connections taken over. */
  #taken = 0;

  constructor(stack: ReceivingStack, send: (message: MoveMessage) => unknown, log: Logger) {
    this.#stack = stack;
    this.#send = send;
    this.#log = log;
  }

  /** Handles a message; returns false if it is not one for a receiver. */
  receive(message: MoveMessage): boolean {
    if (message.type === "offer") this.#offer(message.id, message.record);
    else if (message.type === "commit") this.#commit(message.id, message.elapsedMs);
    else if (message.type === "withdraw") this.#drop(message.id);
    else if (message.type === "packet") {
      this.#stack.receive(message.packet, { segmentSize: message.segmentSize });
    } else return false;
    return true;
  }

  /** The session has ended: the sender keeps what was not committed. */
  end(): void {
    this.#offered.clear();
    this.#offeredBytes = 0;
    if (this.#taken > 0) this.#log.info("connections received", { count: this.#taken });
    this.#taken = 0;
  }

  #offer(id: number, record: Uint8Array): void {
    const isFull = this.#offered.size >= MAX_OFFERED ||
      this.#offeredBytes + record.length > MAX_OFFERED_BYTES;
    try {
      if (this.#offered.has(id)) throw new Error("it was already offered");
      if (isFull) throw new Error("too many connections are offered at once");
      this.#stack.checkFrozen(record);
    } catch (error) {
      return void this.#send({ type: "refuse", id, reason: messageLine(error) });
    }
    this.#offered.set(id, record);
    this.#offeredBytes += record.length;
    this.#send({ type: "accept", id });
  }

  #commit(id: number, elapsedMs: number): void {
    const record = this.#drop(id);
    if (record === undefined) {
      return void this.#send({ type: "refuse", id, reason: "it was not offered" });
    }
    try {
      this.#stack.thaw(record, { elapsedMs });
    } catch (error) {
      const reason = messageLine(error);
      this.#log.warn("a connection was not taken over", { reason });
      return void this.#send({ type: "refuse", id, reason });
    }
    this.#taken++;
    this.#send({ type: "done", id });
  }

  /** Forgets the record of an offer, and returns it. */
  #drop(id: number): Uint8Array | undefined {
    const record = this.#offered.get(id);
    if (record === undefined) return undefined;
    this.#offered.delete(id);
    this.#offeredBytes -= record.length;
    return record;
  }
}
