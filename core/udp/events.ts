/**
 * Whose owners have something to look at.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { Flow } from "./flow.ts";
import type { FlowPort, UdpSocket } from "./ports.ts";

/** What something can happen to. */
export type UdpEventOwner = UdpSocket | FlowPort | Flow;

/** Each item is in it once at most. */
export class EventQueue {
  readonly #queue = new Queue<UdpEventOwner>();

  push(item: UdpEventOwner): void {
    if (item.inNews) return;
    item.inNews = true;
    this.#queue.push(item);
  }

  shift(): UdpEventOwner | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) item.inNews = false;
    return item;
  }
}
