/**
 * Prints every packet of a simulated scenario:
 *
 *     replay.ts SEED
 *
 * @module
 */
import process from "node:process";
import type { CoreStack } from "../../core/stack/stack.ts";
import { assertOutcome } from "./outcome.ts";
import { randomScenario } from "./scenario.ts";
import { World } from "./world.ts";

const FLAGS = ["F", "S", "R", "P", ".", "U", "E", "C"];

/** Prints segments with sequence numbers relative to the first of each side. */
class Trace {
  readonly #world: World;
  readonly #first: [number | undefined, number | undefined] = [undefined, undefined];

  constructor(world: World) {
    this.#world = world;
    for (const index of [0, 1] as const) this.#watch(world.sides[index].core, index);
  }

  #watch(core: CoreStack, index: 0 | 1): void {
    const receive = core.receive.bind(core);
    core.receive = (packet, size, checksum, segmentSize, now) => {
      const before = dropsOf(core);
      receive(packet, size, checksum, segmentSize, now);
      const dropped = dropsOf(core).find((drop) => !before.includes(drop));
      this.#show(index === 0 ? "<" : ">", index === 0 ? 1 : 0, packet, dropped ?? "");
    };
    const poll = core.pollTransmit.bind(core);
    core.pollTransmit = (out, now) => {
      const found = poll(out, now);
      const bytes = new Uint8Array(out.byteLength);
      out.copyTo(bytes, 0);
      if (found) this.#show(index === 0 ? ">.." : "..<", index, bytes, "");
      return found;
    };
  }

  #show(arrow: string, sender: 0 | 1, packet: Uint8Array, note: string): void {
    const at = this.#world.now.toFixed(3);
    console.log(`${at} ${arrow.padStart(3)} ${this.#describe(sender, packet)} ${note}`);
  }

  #describe(sender: 0 | 1, packet: Uint8Array): string {
    const ipLength = packet[0]! >>> 4 === 4 ? 20 : 40;
    if (packet[ipLength === 20 ? 9 : 6] !== 6) return "not TCP";
    const view = new DataView(packet.buffer, packet.byteOffset + ipLength);
    const bits = view.getUint8(13);
    const flags = FLAGS.filter((_, bit) => (bits & (1 << bit)) !== 0).join("");
    this.#first[sender] ??= view.getUint32(4);
    const seq = (view.getUint32(4) - this.#first[sender]!) >>> 0;
    const ack = (view.getUint32(8) - (this.#first[1 - sender] ?? 0)) >>> 0;
    const text = packet.length - ipLength - (view.getUint8(12) >>> 4) * 4;
    return `${flags} ${seq}:${seq + text}(${text}) ack ${ack} win ${view.getUint16(14)}`;
  }
}

function dropsOf(core: CoreStack): string[] {
  return Object.entries(core.stats.snapshot()).filter(([name]) => name.startsWith("drop."))
    .map(([name, count]) => `${name} ${count}`);
}

const scenario = randomScenario(Number(process.argv[2]));
console.log(JSON.stringify(scenario, null, 2));
const world = new World(scenario);
new Trace(world);
console.log(assertOutcome(world.start().run()), world.describe());
