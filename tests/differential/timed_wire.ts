import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import type { Link } from "../../core/stack/link.ts";
import { OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { EventQueue } from "../sim/event_queue.ts";
import { type Conditions, PERFECT, Wire } from "../sim/wire.ts";
import { type Rewrite, wrapPacket } from "./relay.ts";

const BATCH = 64;
const FEATURES = { mtu: 1500, maxSuperPacket: 0, checksumOffload: false };

/** Runs events of the simulation in real time; a timer is at most a millisecond late. */
export class RealTime {
  readonly #events = new EventQueue();
  #timer: ReturnType<typeof setTimeout> | undefined;

  get now(): number {
    return performance.now();
  }

  schedule(at: number, run: () => void): void {
    const isNext = at < this.#events.next;
    this.#events.schedule(at, run);
    if (isNext) this.#wake();
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#runDue(), Math.max(0, this.#events.next - this.now));
  }

  #runDue(): void {
    while (this.#events.next <= this.now) this.#events.runNext();
    if (this.#events.next !== Infinity) this.#wake();
  }
}

/** Forwards packets from one link to another over a {@link Wire} of the simulation. */
export async function carry(
  time: RealTime,
  from: Link,
  to: Link,
  conditions: Partial<Conditions>,
  seed: number,
  rewrite: Rewrite = () => {},
): Promise<void> {
  const batch = new PacketBatch(BATCH);
  const out = new OutgoingPacket();
  const wire = new Wire(
    { ...PERFECT, ...conditions },
    FEATURES,
    seededRandom(seed),
    (at, { bytes }) =>
      time.schedule(at, () => {
        wrapPacket(bytes, out);
        to.send(out);
      }),
  );
  while (await from.ready()) {
    for (let count = from.receive(batch); count > 0; count = from.receive(batch)) {
      for (let i = 0; i < count; i++) {
        const packet = batch.packets[i]!.slice(0, batch.sizes[i]);
        rewrite(packet);
        wrapPacket(packet, out);
        wire.send(out, time.now);
      }
    }
  }
}
