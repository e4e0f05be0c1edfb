/**
 * Queue of the sockets, flow ports and flows whose owners have to be notified.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { Flow, FlowPort } from "./flow.ts";
import type { UdpSocket } from "./socket.ts";

/** An object with events. */
export type UdpNotified = UdpSocket | FlowPort | Flow;

/** Holds each item at most once. */
export class NotificationQueue {
  readonly #queue = new Queue<UdpNotified>();

  push(item: UdpNotified): void {
    if (item.inNotificationQueue) return;
    item.inNotificationQueue = true;
    this.#queue.push(item);
  }

  shift(): UdpNotified | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) item.inNotificationQueue = false;
    return item;
  }
}
