/**
 * Sends as much as it can through a path with loss and delay to the kernel: `upload.ts JSON`, see
 * {@link UploadOptions}. Prints the bytes that the receiver got.
 *
 * The sender is the kernel too, or a stack. For the kernel the path joins two TUN devices, and gives
 * each end addresses that are not the machine's own; their sum stays, and with it every checksum.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";
import { linkPair } from "../../../adapters/memory.ts";
import { openTun } from "../../../adapters/tun/mod.ts";
import { impair } from "../../../adapters/wrap/impair.ts";
import { systemClock } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { CongestionName } from "../../../core/tcp/config.ts";
import type { Link } from "../../../core/stack/link.ts";
import { relay, type Rewrite } from "../relay.ts";

/** What the program is told. */
export interface UploadOptions {
  sender: "kernel" | "berth";
  congestion: CongestionName;
  seed: number;
  /** In each direction. */
  loss: number;
  delayMs: number;
  seconds: number;
}

const PORT = 5001;
const SENDER = "10.90.0.1";
const RECEIVER = "10.92.0.2";
/** No runtime's sockets let one choose the kernel's algorithm. */
const KERNEL_SENDER = `
import socket, sys
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[1].encode())
s.connect(("10.91.0.2", int(sys.argv[2])))
while True: s.sendall(bytes(65536))
`;
const CHUNK = new Uint8Array(64 * 1024);

const options: UploadOptions = JSON.parse(process.argv[2]!);
const receiverTun = await openTun({
  name: "receiver",
  addresses: ["10.92.0.2/24"],
  offload: false,
});
execFileSync("ip", ["route", "add", `${SENDER}/32`, "dev", "receiver"]);
const received = listen();
if (options.sender === "kernel") await sendFromKernel();
else sendFromStack();
setTimeout(() => {
  console.log(received.bytes);
  process.exit(0);
}, options.seconds * 1000);

function listen(): { bytes: number } {
  const count = { bytes: 0 };
  createServer((socket) => {
    socket.on("data", (chunk: Uint8Array) => void (count.bytes += chunk.length));
    socket.on("error", () => {});
  }).listen(PORT, RECEIVER);
  return count;
}

function join(sender: Link, there: Rewrite, back: Rewrite): void {
  const { seed, loss, delayMs } = options;
  const given = { clock: systemClock, loss, delayMs, queue: 16_384 };
  void relay(sender, impair(receiverTun, { seed, ...given }), there);
  void relay(receiverTun, impair(sender, { seed: seed + 1, ...given }), back);
}

async function sendFromKernel(): Promise<void> {
  const addresses = ["10.91.0.1/24"];
  const senderTun = await openTun({ name: "sender", addresses, offload: false });
  const second = (source: number, destination: number): Rewrite => (packet) => {
    if (packet[0]! >>> 4 !== 4) return;
    packet[13] = source;
    packet[17] = destination;
  };
  join(senderTun, second(90, 92), second(91, 91));
  const sender = spawn("python3", ["-c", KERNEL_SENDER, options.congestion, String(PORT)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.on("exit", () => void sender.kill());
}

function sendFromStack(): void {
  const [near, far] = linkPair();
  join(far, () => {}, () => {});
  const tcp = { profile: "internet", congestion: options.congestion } as const;
  const stack = createStack({ link: near, addresses: [`${SENDER}/24`], tcp });
  const socket = stack.connect(`${RECEIVER}:${PORT}`);
  const send = async () => {
    for (;;) await socket.write(CHUNK);
  };
  send().catch((error: Error) => console.error(error.message));
}
