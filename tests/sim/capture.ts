import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pcapFileHeader, pcapRecord, RECORD_HEADER } from "../../adapters/wrap/pcap.ts";
import { ROOT } from "../support/source_files.ts";
import { type Scenario, World } from "./world.ts";

/** Not tracked by git; CI's log names what lies here. */
const FOLDER = join(ROOT, "tests", ".failures");

/**
 * Runs a scenario once more and writes down what its first side sends and receives. Returns the
 * file's path.
 */
export function capture(scenario: Scenario, name: string, folder: string = FOLDER): string {
  const pieces: Uint8Array[] = [pcapFileHeader()];
  const world = new World(scenario);
  const { core } = world.sides[0];
  const record = (bytes: Uint8Array) => {
    const piece = pcapRecord(bytes.length, world.now);
    piece.set(bytes, RECORD_HEADER);
    pieces.push(piece);
  };
  const receive = core.receive.bind(core);
  core.receive = (packet, size, ...rest) => {
    record(packet.subarray(0, size));
    receive(packet, size, ...rest);
  };
  const poll = core.pollTransmit.bind(core);
  core.pollTransmit = (out, now) => {
    if (!poll(out, now)) return false;
    const bytes = new Uint8Array(out.byteLength);
    out.copyTo(bytes, 0);
    record(bytes);
    return true;
  };
  try {
    world.start().run();
  } catch {
    // The capture ends where the scenario has failed.
  }
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.pcap`);
  writeFileSync(path, concatenate(pieces));
  return path;
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
