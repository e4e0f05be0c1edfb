/**
 * A UDP socket of the kernel that talks to an echo service: `udp_client.ts JSON`, see
 * {@link UdpClientOptions}. Prints how many answers were equal.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import process from "node:process";

/** What the program is told. */
export interface UdpClientOptions {
  host: string;
  port: number;
  /** One datagram of each of these sizes, `times` times. */
  sizes: readonly number[];
  times: number;
}

const { host, port, sizes, times }: UdpClientOptions = JSON.parse(process.argv[2] ?? "{}");
const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
await new Promise<void>((resolve) => socket.connect(port, host, resolve));
let equal = 0;
for (let i = 0; i < times; i++) {
  for (const size of sizes) if (await isEchoed(size, i)) equal++;
}
console.log(`${equal} equal`);
process.exit(0);

/** Datagrams may get lost in the kernel: three tries. */
async function isEchoed(size: number, seed: number): Promise<boolean> {
  const sent = Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8) * 13 + seed);
  for (let tries = 0; tries < 3; tries++) {
    socket.send(sent);
    const answer = await Promise.race([
      new Promise<Uint8Array>((resolve) => socket.once("message", resolve)),
      new Promise<undefined>((resolve) => setTimeout(resolve, 1000)),
    ]);
    if (answer !== undefined) {
      return answer.length === size && sent.every((byte, i) => byte === answer[i]);
    }
  }
  return false;
}
