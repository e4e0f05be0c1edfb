import type { EventQueue } from "./event_queue.ts";

/** A time in which a host does nothing: its clock goes on, its timers fire late. */
export interface Pause {
  /** Milliseconds. */
  readonly from: number;
  readonly until: number;
  /** What it looks at when it goes on; the other comes right behind. */
  readonly first: "packets" | "timers";
}

/** Packets that a host takes in while it does nothing; the rest is lost, as in a card's ring. */
const WAITING_PACKETS = 256;
const RIGHT_BEHIND_MS = 0.001;

/** Holds back what happens to a host during its pauses, and lets it all happen at once. */
export class Pauses {
  readonly #pauses: readonly Pause[];
  readonly #packets: (() => void)[] = [];
  readonly #wakes: (() => void)[] = [];

  constructor(pauses: readonly Pause[], events: EventQueue) {
    this.#pauses = pauses;
    for (const { until, first } of pauses) {
      const late = first === "timers" ? RIGHT_BEHIND_MS : 0;
      events.schedule(until + late, () => this.#release(until + late));
    }
  }

  /** The first time from `at` on at which the host does something. */
  awakeAt(at: number): number {
    let time = at;
    for (const { from, until } of this.#pauses) if (time >= from && time < until) time = until;
    return time;
  }

  isPaused(now: number): boolean {
    return this.awakeAt(now) > now;
  }

  packet(now: number, receive: () => void): void {
    if (!this.isPaused(now)) receive();
    else if (this.#packets.length < WAITING_PACKETS) this.#packets.push(receive);
  }

  wake(now: number, run: () => void): void {
    if (!this.isPaused(now)) run();
    else this.#wakes.push(run);
  }

  #release(now: number): void {
    if (this.isPaused(now)) return;
    for (const run of [...this.#packets.splice(0), ...this.#wakes.splice(0)]) run();
  }
}
