/**
 * Whose owners have something to look at.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { Flow } from "./flow.ts";
import type { FlowPort, UdpSocket } from "./ports.ts";

/** What something can happen to. */
export type UdpNews = UdpSocket | FlowPort | Flow;

/** Each item is in it once at most. */
export class NewsQueue {
  readonly #queue = new Queue<UdpNews>();

  push(item: UdpNews): void {
    if (item.inNews) return;
    item.inNews = true;
    this.#queue.push(item);
  }

  shift(): UdpNews | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) item.inNews = false;
    return item;
  }
}
