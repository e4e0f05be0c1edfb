import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { CoreStack } from "../../core/stack/stack.ts";
import { frozenReader, frozenWriter, withHeader } from "../../core/tcp/frozen/format.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { randomScenario } from "../sim/scenario.ts";
import { World } from "../sim/world.ts";

/** Boundary values of fields. */
const VALUES = [
  0,
  1,
  -1,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 31),
  1e300,
];
const MAX_PACKETS = 200;

/** A record of a connection, and the stack that can read it. */
interface Specimen {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly world: World;
  readonly side: 0 | 1;
}

/** Changes records of real connections, and uses the connections that a stack accepts. */
export class FrozenEpisode {
  accepted = 0;
  readonly faults = new Set<string>();
  readonly #random: SeededRandom;
  readonly #specimens: Specimen[];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#specimens = specimens(seed * 1000, 30);
  }

  get specimens(): number {
    return this.#specimens.length;
  }

  run(count: number): void {
    for (let i = 0; i < count; i++) {
      const specimen = this.#specimens[this.#random.uint32() % this.#specimens.length]!;
      this.#thaw(specimen, this.#change(specimen.record));
    }
  }

  #change(record: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const random = this.#random;
    const changed = record.slice();
    const view = new DataView(changed.buffer);
    for (let left = 1 + random.uint32() % 3; left > 0; left--) {
      const field = 8 + 8 * (random.uint32() % Math.floor((changed.length - 16) / 8));
      const kind = random.uint32() % 4;
      if (kind === 0) changed[random.uint32() % changed.length]! ^= 1 << (random.uint32() & 7);
      else if (kind === 1) view.setFloat64(field, VALUES[random.uint32() % VALUES.length]!);
      else if (kind === 2) view.setFloat64(field, random.uint32() % 100_000);
      else view.setFloat64(field, view.getFloat64(field) + (random.uint32() % 3) - 1);
    }
    const isCut = random.uint32() % 20 === 0;
    return isCut ? changed.slice(0, random.uint32() % changed.length) : changed;
  }

  #thaw({ world, side }: Specimen, record: Uint8Array): void {
    const { core } = new World(world.scenario).sides[side];
    const reader = frozenReader(record, { now: 50, elapsedMs: 10 });
    if (typeof reader === "string") return void this.faults.add(reader.slice(0, 20));
    const tcb = core.tcp.thaw(reader);
    if (!(tcb instanceof Tcb)) {
      return void this.faults.add((tcb.fault ?? tcb.refusal)!.slice(0, 12));
    }
    this.accepted++;
    core.tcp.enterThawed(tcb, 50);
    this.#exercise(core, tcb);
  }

  /** Sends, reads and times out; nothing throws. */
  #exercise(core: CoreStack, tcb: Tcb): void {
    const out = new OutgoingPacket();
    let now = 50;
    for (let step = 0; step < 6; step++) {
      for (let left = MAX_PACKETS; left > 0 && core.pollTransmit(out, now); left--) {
        const packet = new Uint8Array(out.byteLength);
        out.copyTo(packet, 0);
      }
      core.tcp.send(tcb, new Uint8Array(3000), 0, now);
      core.tcp.read(tcb, new Uint8Array(5000), now);
      while (core.tcp.pollConnection() !== undefined);
      now = Math.max(now + 1, Math.min(core.nextTimeout(), now + 100_000));
      core.handleTimeout(now);
    }
    core.tcp.close(tcb, now);
    for (let left = MAX_PACKETS; left > 0 && core.pollTransmit(out, now); left--);
    core.shutDown();
  }
}

/** Records of connections in the middle of simulated transfers. */
function specimens(firstSeed: number, count: number): Specimen[] {
  const found: Specimen[] = [];
  for (let seed = firstSeed; found.length < count; seed++) {
    const world = new World({ ...randomScenario(seed), again: [] }).start();
    world.run(1000 + seed % 7 * 60);
    for (const side of [0, 1] as const) {
      const { core } = world.sides[side];
      const tcb = core.tcp.connections().find((each) => core.tcp.immovable(each) === undefined);
      if (tcb === undefined) continue;
      const writer = frozenWriter({ now: world.now, elapsedMs: 0 });
      core.tcp.freeze(tcb, writer);
      found.push({ record: withHeader(writer.take()), world, side });
    }
  }
  return found;
}
