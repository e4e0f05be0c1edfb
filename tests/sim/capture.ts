import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Recordable, Recording } from "../../adapters/links/decorators/pcapng/recording.ts";
import { concatenate } from "../../core/wire/bytes.ts";
import { ROOT } from "../support/source_files.ts";
import { type Scenario, World } from "./world.ts";

/** Not tracked by git; CI's log names the files here. */
const FOLDER = join(ROOT, "tests", ".failures");

/**
 * Runs a scenario again and records the packets of its first side. Returns the path of the file.
 */
export function capture(scenario: Scenario, name: string, folder: string = FOLDER): string {
  const pieces: Uint8Array[] = [];
  const world = new World(scenario);
  const { core } = world.sides[0];
  const recording = new Recording((block) => pieces.push(block), name);
  const receive = core.receive.bind(core);
  core.receive = (packet, size, checksum, ...rest) => {
    recording.take(inOnePiece(packet, size), world.now, "in", checksum === "partial");
    receive(packet, size, checksum, ...rest);
  };
  const poll = core.pollTransmit.bind(core);
  core.pollTransmit = (out, now) => {
    if (!poll(out, now)) return false;
    recording.take(out, world.now, "out", out.checksumPartial);
    return true;
  };
  try {
    world.start().run();
  } catch {
    // The capture ends where the scenario fails.
  }
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.pcapng`);
  writeFileSync(path, concatenate(pieces));
  return path;
}

function inOnePiece(packet: Uint8Array, size: number): Recordable {
  return {
    byteLength: size,
    copyTo: (target, at) => target.set(packet.subarray(0, size), at),
  };
}
