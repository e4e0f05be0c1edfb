/**
 * The Linux kernel as the target of a script: a TUN device, sockets and real time. Runs in a
 * network namespace of its own, whose settings it changes.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { type Link, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import { decode } from "../../support/dsl/decode.ts";
import type { Sent } from "../../support/dsl/wire.ts";
import { Flow } from "../script/flow.ts";
import type { Script } from "../script/parse.ts";
import { NotExpressible, type Target } from "../script/target.ts";
import type { Libc } from "./libc.ts";
import { KernelSocket, OPTION } from "./sockets.ts";

/** Number of peer ports that one script may use. */
export const PORTS_PER_SCRIPT = 10;

const PORT = 8080;
/** Names of the namespace's sysctls in scripts. */
const SWITCHES: Readonly<Record<string, string>> = {
  sack: "tcp_sack",
  timestamps: "tcp_timestamps",
  windowScaling: "tcp_window_scaling",
  ecn: "tcp_ecn",
};
const CONGESTION: Readonly<Record<string, string>> = { cubic: "cubic", newreno: "reno" };
const PER_SOCKET = new Set([
  "mss",
  "noDelay",
  "congestion",
  "keepAliveIdleMs",
  "keepAliveIntervalMs",
  "keepAliveProbes",
  "userTimeoutMs",
]);
const OTHERS = new Set(["mtu", "version", "irs"]);

/** Plays one script against the kernel. */
export class LinuxTarget implements Target {
  readonly isStrict = false;
  readonly #libc: Libc;
  readonly #link: Link;
  readonly #settings: ReadonlyMap<string, string>;
  readonly #firstPort: number;
  readonly #flows = new Map<number, { flow: Flow; socket: KernelSocket | undefined }>();
  readonly #batch = new PacketBatch(1);
  readonly #outgoing = new OutgoingPacket();
  readonly #start = performance.now();
  #listener: KernelSocket | undefined;

  private constructor(libc: Libc, link: Link, script: Script, firstPort: number) {
    this.#libc = libc;
    this.#link = link;
    this.#settings = script.settings;
    this.#firstPort = firstPort;
  }

  /** Creates a device and configures the namespace. `firstPort`: start of unused peer ports. */
  static async open(libc: Libc, script: Script, firstPort: number): Promise<LinuxTarget> {
    checkSettings(script.settings);
    setNamespaceUp(script.settings);
    const link = await openTun({
      name: "tun%d",
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      mtu: Math.max(1280, Number(script.settings.get("mtu") ?? 1500)),
      offload: false,
    });
    return new LinuxTarget(libc, link, script, firstPort);
  }

  get elapsed(): number {
    return performance.now() - this.#start;
  }

  /** The kernel's timers have the resolution of ticks, and the machine may be busy. */
  toleranceMs(interval: number): number {
    return 30 + interval / 20;
  }

  flow(number: number): Flow {
    return this.#flowOf(number).flow;
  }

  waitUntil(elapsed: number): void {
    sleep(elapsed - this.elapsed);
  }

  inject(packet: Uint8Array): void {
    const out = this.#outgoing;
    const headerLength = packet[0]! >> 4 === 4 ? (packet[0]! & 15) * 4 : 40;
    out.header.set(packet.subarray(0, headerLength), OutgoingPacket.HEADROOM);
    out.headerLength = out.ipHeaderLength = headerLength;
    out.payload = new Uint8Array(packet.subarray(headerLength));
    out.payloadStart = out.wrappedLength = out.segmentSize = 0;
    out.payloadLength = out.payload.length;
    out.checksumPartial = false;
    this.#link.send(out);
  }

  nextPacket(elapsed: number): Sent | undefined {
    // Immediate actions of the kernel take a moment.
    const until = Math.max(elapsed, this.elapsed + 3);
    for (;;) {
      while (this.#link.receive(this.#batch) > 0) {
        const bytes = this.#batch.packets[0]!.slice(0, this.#batch.sizes[0]!);
        if (this.#isOfScript(bytes)) return { at: this.elapsed, packet: decode(bytes) };
      }
      if (this.elapsed >= until) return undefined;
      sleep(0.5);
    }
  }

  call(number: number, name: string, args: readonly string[]): string | undefined {
    const { flow } = this.#flowOf(number);
    const argument = args[0] ?? "";
    switch (name) {
      case "listen":
        return this.#listen(flow, Number(args[0] ?? 511));
      case "closeListener":
        this.#listener!.close();
        return "ok";
      case "accept":
        return this.#accept(number);
      case "connect":
        return this.#connect(number);
      case "read":
        return this.#read(number, Number(args[0] ?? 0x100000));
      case "write":
        return this.#write(number, Number(argument));
      case "expect":
        return this.#look(number, argument);
      default:
        return this.#change(number, name, argument);
    }
  }

  #change(number: number, name: string, argument: string): string {
    const socket = this.#socket(number);
    if (name === "closeWrite") socket.closeWrite();
    else if (name === "close") socket.close();
    else if (name === "abort") socket.abort();
    else if (name === "linger") socket.linger(Number(argument));
    else if (name === "cork") socket.set(OPTION.CORK, argument === "on" ? 1 : 0);
    else if (name === "noDelay") socket.set(OPTION.NO_DELAY, argument === "on" ? 1 : 0);
    else if (name === "keepAlive") socket.set(OPTION.KEEPALIVE, argument === "on" ? 1 : 0);
    else if (name === "userTimeout") socket.set(OPTION.USER_TIMEOUT, Number(argument) * 1000);
    else throw new NotExpressible(`no call ${name}`);
    return "ok";
  }

  #listen(flow: Flow, backlog: number): string {
    this.#listener = KernelSocket.bound(this.#libc, flow.ends.local, PORT);
    this.#configure(this.#listener);
    // The kernel accepts one more connection than its backlog.
    this.#listener.listen(backlog - 1);
    return "ok";
  }

  #accept(number: number): string {
    const socket = this.#listener?.accept();
    if (socket === undefined) return "nothing";
    this.#configure(socket);
    // Otherwise the first acknowledgements of a connection are not delayed.
    socket.set(OPTION.QUICKACK, 0);
    this.#flowOf(number).socket = socket;
    return "ok";
  }

  #connect(number: number): string {
    const found = this.#flowOf(number);
    const { local, localPort, remote, remotePort } = found.flow.ends;
    found.socket = KernelSocket.bound(this.#libc, local, localPort);
    this.#configure(found.socket);
    return found.socket.connect(remote, remotePort);
  }

  #configure(socket: KernelSocket): void {
    const settings = this.#settings;
    socket.set(OPTION.NO_DELAY, settings.get("noDelay") === "false" ? 0 : 1);
    socket.setCongestion(CONGESTION[settings.get("congestion") ?? "cubic"]!);
    const numbers = [
      ["mss", OPTION.MAXSEG, 1],
      ["keepAliveIdleMs", OPTION.KEEPIDLE, 1000],
      ["keepAliveIntervalMs", OPTION.KEEPINTVL, 1000],
      ["keepAliveProbes", OPTION.KEEPCNT, 1],
      ["userTimeoutMs", OPTION.USER_TIMEOUT, 1],
    ] as const;
    for (const [name, option, unit] of numbers) {
      const value = settings.get(name);
      if (value !== undefined) socket.set(option, Number(value) / unit);
    }
  }

  #read(number: number, most: number): string {
    const flow = this.flow(number);
    const target = new Uint8Array(most);
    const result = this.#socket(number).read(target);
    const count = Number(result) || 0;
    const wrong = flow.fromPeer.firstDifference(flow.readAt, target.subarray(0, count));
    if (wrong >= 0) throw new Error(`byte ${wrong} differs from what the peer sent`);
    flow.readAt += count;
    return result;
  }

  #write(number: number, length: number): string {
    const flow = this.flow(number);
    if (this.#socket(number).info().state === "SYN-SENT") {
      throw new NotExpressible("a non-blocking socket accepts no data before it is connected");
    }
    const bytes = new Uint8Array(flow.fromStack.put(flow.fromStack.length, length));
    const result = this.#socket(number).write(bytes);
    flow.fromStack.length -= length - (Number(result) || 0);
    return result;
  }

  /** The value; `undefined` if the kernel does not report it, or no longer does. */
  #look(number: number, what: string): string | undefined {
    const { socket } = this.#flowOf(number);
    if (what === "connections" || what === "urgent" || !socket?.isOpen) return undefined;
    if (what === "error") return socket.takeError();
    if (what === "readable") return String(socket.readable());
    const info = socket.info();
    if (what === "state") return info.state;
    return String(Math.round(info[what as "cwnd"]));
  }

  #socket(number: number): KernelSocket {
    const { socket } = this.#flowOf(number);
    if (socket === undefined) throw new NotExpressible("a call before accept");
    return socket;
  }

  #flowOf(number: number): { flow: Flow; socket: KernelSocket | undefined } {
    let found = this.#flows.get(number);
    if (found === undefined) {
      const isV6 = this.#settings.get("version") === "6";
      found = {
        flow: new Flow({
          local: isV6 ? "fd00::2" : "10.0.0.2",
          localPort: PORT,
          remote: isV6 ? "fd00::1" : "10.0.0.1",
          remotePort: this.#firstPort + number,
          irs: Number(this.#settings.get("irs") ?? 1_000_000),
        }),
        socket: undefined,
      };
      this.#flows.set(number, found);
    }
    return found;
  }

  /** Excludes packets of earlier connections and IPv6 neighbor discovery. */
  #isOfScript(packet: Uint8Array): boolean {
    const isV4 = packet[0]! >> 4 === 4;
    if ((isV4 ? packet[9] : packet[6]) !== 6) return false;
    const tcp = isV4 ? 20 : 40;
    const port = (packet[tcp + 2]! << 8) | packet[tcp + 3]!;
    return port >= this.#firstPort && port < this.#firstPort + PORTS_PER_SCRIPT;
  }

  /** Resets every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    for (const { socket } of this.#flows.values()) socket?.abort();
    await this.#link.close();
  }
}

function checkSettings(settings: ReadonlyMap<string, string>): void {
  for (const [name, value] of settings) {
    const isKnown = name in SWITCHES || PER_SOCKET.has(name) || OTHERS.has(name);
    if (!isKnown || (name === "congestion" && !(value in CONGESTION))) {
      throw new NotExpressible(`set ${name}=${value}`);
    }
  }
  if (Number(settings.get("mtu") ?? 1500) < 1280) throw new NotExpressible("an MTU below 1280");
}

function setNamespaceUp(settings: ReadonlyMap<string, string>): void {
  const set = (name: string, value: string) => writeFileSync(`/proc/sys/net/ipv4/${name}`, value);
  for (const [name, file] of Object.entries(SWITCHES)) {
    const byDefault = name === "ecn" ? "false" : "true";
    set(file, (settings.get(name) ?? byDefault) === "true" ? "1" : "0");
  }
  // Metrics of one connection must not affect the next.
  set("tcp_no_metrics_save", "1");
}

const nobody = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps without a turn of the event loop, so that nothing else runs. */
function sleep(ms: number): void {
  if (ms > 0) Atomics.wait(nobody, 0, 0, ms);
}
