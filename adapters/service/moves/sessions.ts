/**
 * Both sides of a session with another service: how they handle the messages of the channel, and the sockets that are
 * passed over a second channel if both are on one machine.
 *
 * @module
 */
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import type { Attachment } from "../../../core/api/moves/types.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import { messageLine } from "../errors.ts";
import { isSocket } from "./attachments.ts";
import { DescriptorReceiver, DescriptorSender } from "./descriptor_channel.ts";
import type { MoveMessage } from "./messages.ts";
import { MoveIn, type ReceivingStack } from "./move_in.ts";
import { MoveOut, type SendingStack } from "./move_out.ts";

/** Sends a message; returns false if it was not accepted. */
export type Send = (message: MoveMessage) => boolean;

/** One side of a session. */
export interface Session {
  /** Handles a message; returns false if it is not for this side. */
  receive(message: MoveMessage): boolean;
  /** Called when the channel has ended. */
  end(): void;
}

/** Options of a session. */
export interface SessionOptions {
  readonly send: Send;
  readonly log: Logger;
  /**
   * Passes sockets to a service on the same machine; `undefined` if it is on another one, or sockets cannot be
   * passed.
   */
  readonly sockets: NativeSockets | undefined;
  readonly clock?: Clock;
}

/** The side that hands its connections over. */
export class OutgoingSession implements Session {
  readonly out: MoveOut;
  readonly #options: SessionOptions;
  #descriptors: DescriptorSender | undefined;

  constructor(stack: SendingStack, options: SessionOptions) {
    this.#options = options;
    const send = (message: MoveMessage, attachments: readonly Attachment[]) =>
      (attachments.length === 0 || this.#pass(message.id, attachments)) && options.send(message);
    const carries = (attachment: Attachment) =>
      this.#descriptors !== undefined && isSocket(attachment);
    this.out = new MoveOut(stack, send, options.clock ?? systemClock, { carries });
  }

  receive(message: MoveMessage): boolean {
    if (message.type !== "descriptors") return this.out.receive(message);
    const { log, sockets } = this.#options;
    try {
      if (sockets !== undefined) this.#descriptors ??= new DescriptorSender(sockets, message);
    } catch (error) {
      log.warn("sockets of the host cannot be passed", { reason: messageLine(error) });
    }
    return true;
  }

  end(): void {
    this.#descriptors?.close();
    this.#descriptors = undefined;
    this.out.end();
  }

  #pass(id: number, attachments: readonly Attachment[]): boolean {
    return this.#descriptors?.send(id, attachments) === true;
  }
}

/** The side that takes connections over. */
export class IncomingSession implements Session {
  readonly #options: SessionOptions;
  readonly #incoming: MoveIn;
  #descriptors: DescriptorReceiver | undefined;

  constructor(stack: ReceivingStack, options: SessionOptions) {
    this.#options = options;
    this.#incoming = new MoveIn(stack, options.send, options.log);
  }

  /** Called when the channel is open. Tells the other side where to pass sockets. */
  begin(): void {
    const { log, send, sockets } = this.#options;
    if (sockets === undefined) return;
    try {
      this.#descriptors = DescriptorReceiver.open(sockets);
    } catch (error) {
      return log.warn("sockets of the host cannot be passed", { reason: messageLine(error) });
    }
    send({ type: "descriptors", id: 0, ...this.#descriptors.place });
  }

  receive(message: MoveMessage): boolean {
    return this.#incoming.receive(message, () => this.#descriptors?.take(message.id) ?? []);
  }

  end(): void {
    this.#descriptors?.close();
    this.#descriptors = undefined;
    this.#incoming.end();
  }
}
