/**
 * Sends as fast as possible over a path with loss and delay to the kernel: `upload.ts JSON`, see
 * {@link UploadOptions}. Prints JSON, see {@link UploadResult}.
 *
 * The sender is the kernel or a stack. For the kernel, the path joins two TUN devices and
 * translates addresses so that neither end sees the machine's own; their sum, and so every
 * checksum, stays the same.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";
import { linkPair } from "../../../adapters/links/memory.ts";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { CongestionName } from "../../../core/tcp/config.ts";
import type { Conditions } from "../../sim/wire.ts";
import type { Rewrite } from "../relay.ts";
import { carry, RealTime } from "../timed_wire.ts";

/** Options of the program. */
export interface UploadOptions {
  sender: "kernel" | "berth";
  congestion: CongestionName;
  seed: number;
  /** Conditions from the sender, and differences in the other direction. */
  conditions: Partial<Conditions>;
  back?: Partial<Conditions>;
  seconds: number;
}

/** Output of the program. */
export interface UploadResult {
  /** Number of bytes received. */
  bytes: number;
  /** The longest time without received data. */
  silenceMs: number;
}

const PORT = 5001;
const SENDER = "10.90.0.1";
const RECEIVER = "10.92.0.2";
/** The runtimes' sockets do not allow choosing the congestion control algorithm. */
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
const received = await listen();
if (options.sender === "kernel") await sendFromKernel();
else sendFromStack();

function report(): void {
  const silenceMs = Math.max(received.silenceMs, performance.now() - received.at);
  console.log(JSON.stringify({ bytes: received.bytes, silenceMs }));
  process.exit(0);
}

/** The time starts with the connection, so that the start of the sender does not count. */
async function listen(): Promise<UploadResult & { at: number }> {
  const count = { bytes: 0, silenceMs: 0, at: 0 };
  const server = createServer((socket) => {
    count.at = performance.now();
    setTimeout(report, options.seconds * 1000);
    socket.on("data", (chunk: Uint8Array) => {
      const now = performance.now();
      count.bytes += chunk.length;
      count.silenceMs = Math.max(count.silenceMs, now - count.at);
      count.at = now;
    });
    socket.on("error", () => {});
  }).listen(PORT, RECEIVER);
  await once(server, "listening");
  return count;
}

function join(sender: Link, there: Rewrite, back: Rewrite): void {
  const { seed, conditions } = options;
  const time = new RealTime();
  void carry(time, sender, receiverTun, conditions, seed, there);
  const wayBack = { ...conditions, bytesPerMs: 0, ...options.back };
  void carry(time, receiverTun, sender, wayBack, seed + 1, back);
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
  send().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
}
