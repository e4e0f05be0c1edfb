/**
 * A UDP client of an echo service on a socket of the kernel: `udp_client.ts JSON`, see {@link
 * UdpClientOptions}. Prints the number of correct answers.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import process from "node:process";

/** Options of the program. */
export interface UdpClientOptions {
  host: string;
  port: number;
  /** One datagram of each of these sizes, `times` times. */
  sizes: readonly number[];
  times: number;
}

const { host, port, sizes, times }: UdpClientOptions = JSON.parse(process.argv[2] ?? "{}");
const TRY_MS = 2000;
const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
await new Promise<void>((resolve) => socket.connect(port, host, resolve));
let equal = 0;
for (let i = 0; i < times; i++) {
  for (const size of sizes) if (await isEchoed(size, i)) equal++;
}
console.log(`${equal} equal`);
process.exit(0);

/**
 * Datagrams may be lost in the kernel, so there are three tries. The contents identify late
 * answers.
 */
async function isEchoed(size: number, seed: number): Promise<boolean> {
  const sent = Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8) * 13 + seed);
  for (let tries = 0; tries < 3; tries++) {
    const answered = new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => end(false), TRY_MS);
      const hear = (answer: Uint8Array) => isEqual(sent, answer) && end(true);
      const end = (isAnswered: boolean) => {
        clearTimeout(limit);
        socket.off("message", hear);
        resolve(isAnswered);
      };
      socket.on("message", hear);
    });
    socket.send(sent);
    if (await answered) return true;
  }
  return false;
}

function isEqual(sent: Uint8Array, answer: Uint8Array): boolean {
  return answer.length === sent.length && sent.every((byte, i) => byte === answer[i]);
}
