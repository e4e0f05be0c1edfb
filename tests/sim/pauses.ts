import type { EventQueue } from "./event_queue.ts";

/** A pause of a host: its clock continues, and its timers fire late. */
export interface Pause {
  /** Milliseconds. */
  readonly from: number;
  readonly until: number;
  /** Whether packets or timers are processed first after the pause. */
  readonly first: "packets" | "timers";
}

/** Number of packets queued during a pause; the rest is lost, as in a network card's ring. */
const WAITING_PACKETS = 256;
const RIGHT_BEHIND_MS = 0.001;

/** Defers events of a host during its pauses, and runs them at once afterwards. */
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

  /** The first time from `at` on at which the host is not paused. */
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
