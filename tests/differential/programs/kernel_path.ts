/**
 * The kernel sends as much as it can to itself, through a path of the simulation in real time:
 * `kernel_path.ts JSON`, see {@link KernelPathOptions}. Prints JSON, see {@link KernelPathResult}.
 *
 * The path joins two TUN devices, and gives each end addresses that are not the machine's own; their
 * sum stays, and with it every checksum. It polls, since a timer of a runtime is a millisecond late, and
 * takes a processor of its own unless it may sleep.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import process from "node:process";
import { setImmediate } from "node:timers";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { type Link, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import { EventQueue } from "../../sim/event_queue.ts";
import { type Conditions, PERFECT, Wire } from "../../sim/wire.ts";
import { type Rewrite, wrapPacket } from "../relay.ts";

/** What the program is told. */
export interface KernelPathOptions {
  readonly congestion: string;
  readonly seed: number;
  readonly seconds: number;
  /** From the sender, and what is different on the way back. */
  readonly conditions: Partial<Conditions>;
  readonly back: Partial<Conditions>;
  /** A slow path changes little when its packets are some milliseconds late: it sleeps in between. */
  readonly sleeps: boolean;
}

/** What it prints. */
export interface KernelPathResult {
  /** Bytes that the receiver got from its accept() on. */
  readonly bytes: number;
  /** The longest time in which it got none. */
  readonly silenceMs: number;
  /** How late a packet left the path for the sender or the receiver, in milliseconds: of 100 packets one. */
  readonly lateMs: number;
}

const PORT = "5001";
const BATCH = 64;
const FEATURES = { mtu: 1500, maxSuperPacket: 0, checksumOffload: false };
/** The event loop runs so often: it only learns there that the receiver has ended. */
const TURN_MS = 20;
const SLEEP_MS = 1;
/** No runtime's sockets let one choose the kernel's algorithm. */
const SENDER = `
import socket, sys
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[1].encode())
s.connect(("10.91.0.2", int(sys.argv[2])))
while True: s.sendall(bytes(1 << 18))
`;
/** In a process of its own, as the path does not let go of its processor. */
const RECEIVER = `
import json, socket, sys, time
s = socket.socket()
s.bind(("10.92.0.2", int(sys.argv[1])))
s.listen()
print("ready", flush=True)
c, _ = s.accept()
buffer = bytearray(1 << 20)
total, silence = 0, 0
began = last = time.monotonic()
end = began + float(sys.argv[2])
while True:
  c.settimeout(max(end - time.monotonic(), 0.001))
  try: count = c.recv_into(buffer)
  except TimeoutError: break
  now = time.monotonic()
  if now >= end: break
  total += count
  silence = max(silence, now - last)
  last = now
silence = max(silence, time.monotonic() - last)
print(json.dumps({"bytes": total, "silenceMs": silence * 1000}), flush=True)
`;

/** Both directions of a path, as one loop. */
class PolledPath {
  readonly #events = new EventQueue();
  readonly #lateness: number[] = [];
  readonly #ways: (() => void)[] = [];
  readonly #batch = new PacketBatch(BATCH);
  readonly #out = new OutgoingPacket();

  /** Packets from one device go to another. */
  add(from: Link, to: Link, conditions: Conditions, seed: number, rewrite: Rewrite): void {
    const arrival = new OutgoingPacket();
    const wire = new Wire(
      conditions,
      FEATURES,
      seededRandom(seed),
      (at, { bytes }) =>
        this.#events.schedule(at, () => {
          this.#lateness.push(performance.now() - at);
          wrapPacket(bytes, arrival);
          to.send(arrival);
        }),
    );
    this.#ways.push(() => {
      const batch = this.#batch;
      const count = from.receive(batch);
      for (let i = 0; i < count; i++) {
        const packet = batch.packets[i]!.subarray(0, batch.sizes[i]);
        rewrite(packet);
        wrapPacket(packet, this.#out);
        wire.send(this.#out, performance.now());
      }
    });
  }

  /** Carries packets until `isOver`. */
  async run(isOver: () => boolean, sleeps: boolean): Promise<void> {
    while (!isOver()) {
      const turnAt = performance.now() + (sleeps ? 0 : TURN_MS);
      do this.#poll(); while (performance.now() < turnAt);
      await new Promise<void>((resolve) => {
        if (sleeps) setTimeout(resolve, SLEEP_MS);
        else setImmediate(resolve);
      });
    }
  }

  #poll(): void {
    for (const receive of this.#ways) receive();
    while (this.#events.next <= performance.now()) this.#events.runNext();
  }

  /** See {@link KernelPathResult.lateMs}. */
  get lateMs(): number {
    const sorted = Float64Array.from(this.#lateness).sort();
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }
}

/** Puts other addresses of the two /24 into a packet: the third byte of source and destination. */
function second(source: number, destination: number): Rewrite {
  return (packet) => {
    if (packet[0]! >>> 4 !== 4) return;
    packet[13] = source;
    packet[17] = destination;
  };
}

const options: KernelPathOptions = JSON.parse(process.argv[2]!);
const { conditions, back, seed } = options;
const [sender, receiver] = await Promise.all(
  [["sender", "10.91.0.1/24"], ["receiver", "10.92.0.2/24"]].map(([name, address]) =>
    openTun({ name: name!, addresses: [address!], offload: false })
  ),
);
execFileSync("ip", ["route", "add", "10.90.0.1/32", "dev", "receiver"]);
// What the path cannot take at once waits: the device is no part of the path.
for (const name of ["sender", "receiver"]) {
  execFileSync("ip", ["link", "set", name, "txqueuelen", "10000"]);
}
const path = new PolledPath();
const way = { ...PERFECT, ...conditions };
path.add(sender!, receiver!, way, seed * 1000, second(90, 92));
path.add(receiver!, sender!, { ...way, bytesPerMs: 0, ...back }, seed * 1000 + 1, second(91, 91));

// The path has a processor of its own where there are two.
const taskset = ["taskset", "--all-tasks", "--pid", "--cpu-list"];
const cpus = availableParallelism();
const isAlone = cpus > 1 && !options.sleeps;
if (isAlone) execFileSync(taskset[0]!, [...taskset.slice(1), "0", String(process.pid)]);
const others = isAlone ? [...taskset.slice(0, 1), "--cpu-list", `1-${cpus - 1}`] : [];
const python = (program: string, ...args: string[]) => {
  const [command, ...rest] = [...others, "python3", "-c", program, ...args];
  return spawn(command!, rest, { stdio: ["ignore", "pipe", "inherit"] });
};
const receiving = python(RECEIVER, PORT, String(options.seconds));
let printed = "";
receiving.stdout!.setEncoding("utf8").on("data", (text: string) => printed += text);
while (!printed.includes("ready")) await once(receiving.stdout!, "data");
const sending = python(SENDER, options.congestion, PORT);
process.on("exit", () => {
  receiving.kill();
  sending.kill();
});
await path.run(() => printed.includes("}"), options.sleeps);
const received = JSON.parse(printed.slice(printed.indexOf("{")));
console.log(JSON.stringify({ ...received, lateMs: path.lateMs }));
process.exit(0);
