/**
 * A thread that puts numbered packets of different lengths into a ring: `workerData` has the memory, the number of this
 * writer and of packets.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { PacketRing } from "../../../../../adapters/service/workers/packet_ring.ts";

const { memory, writer, count }: { memory: SharedArrayBuffer; writer: number; count: number } =
  workerData;
const ring = new PacketRing(memory);
for (let number = 0; number < count; number++) {
  const packet = new Uint8Array(4 + (number * 7 + writer * 31) % 100).fill(number);
  new DataView(packet.buffer).setUint32(0, number);
  while (!ring.put(packet, writer)) {
    // The reader makes room.
  }
}
parentPort!.postMessage("done");
