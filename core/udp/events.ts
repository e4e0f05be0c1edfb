/**
 * Queue of the sockets, flow ports and flows whose owners have to be notified.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { Flow, FlowPort } from "./flow.ts";
import type { UdpSocket } from "./socket.ts";

/** An object with events. */
export type UdpEventOwner = UdpSocket | FlowPort | Flow;

/** Holds each item at most once. */
export class EventQueue {
  readonly #queue = new Queue<UdpEventOwner>();

  push(item: UdpEventOwner): void {
    if (item.inEventQueue) return;
    item.inEventQueue = true;
    this.#queue.push(item);
  }

  shift(): UdpEventOwner | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) item.inEventQueue = false;
    return item;
  }
}
