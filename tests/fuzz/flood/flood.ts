import { type SeededRandom, seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { bindingOf } from "../../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../../core/buffers/outgoing_packet.ts";
import type { LinkFeatures } from "../../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../../core/stack/stack.ts";
import { Listener } from "../../../core/stack/tcp/listener.ts";
import { PROFILES, type TcpConfig } from "../../../core/tcp/config.ts";
import { Tcb, TCB_EVENT } from "../../../core/tcp/tcb.ts";
import { FIN_RECEIVED } from "../../../core/tcp/tcb_flags.ts";
import { isAtEnd } from "../../../core/tcp/user_calls.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import { FLAG } from "../../../core/wire/tcp.ts";
import { EventQueue } from "../../sim/event_queue.ts";
import { PacketWriter } from "../packet_writer.ts";

/** Options of a flood. */
export interface FloodOptions {
  readonly version: 4 | 6;
  readonly profile: "local" | "internet";
  readonly tcp?: Partial<TcpConfig>;
  readonly offload?: boolean;
  readonly backlog: number;
  readonly synsPerMs: number;
  /** Whether SYNs wait for a decision, which accepts at once or is never made. */
  readonly decides?: "at once" | "never";
}

const SERVER = { 4: new Subnet(IpAddress.parse("10.0.0.2")!, 8), 6: Subnet.parse("fd00::2/64")! };
const CLIENT = { 4: new Subnet(IpAddress.parse("10.0.0.1")!, 8), 6: Subnet.parse("fd00::1/64")! };
const PORT = 80;
const DELAY_MS = 10;
/** Data that a client sends and expects back. */
const REQUEST = new Uint8Array(3000).fill(7);

/** A flood of spoofed SYNs, and one honest host that uses the service. */
export class Flood {
  readonly server: CoreStack;
  readonly listener: Listener;
  /** Number of honest connections started, completed, and failed. */
  attempts = 0;
  served = 0;
  failed = 0;
  /** Maximum number of connections at the server. */
  mostConnections = 0;
  mostTimers = 0;
  now = 1000;
  readonly #client: CoreStack;
  readonly #options: FloodOptions;
  readonly #random: SeededRandom = seededRandom(1);
  readonly #writer = new PacketWriter();
  readonly #events = new EventQueue();
  readonly #out = new OutgoingPacket();
  readonly #received = new Map<Tcb, number>();
  readonly #scratch = new Uint8Array(0x10000);

  constructor(options: FloodOptions) {
    this.#options = options;
    this.server = this.#stack(SERVER[options.version], options.offload ?? false);
    this.#client = this.#stack(CLIENT[options.version], false);
    const { backlog, decides } = options;
    const request = { ...bindingOf(PORT), backlog, decides: decides !== undefined };
    this.listener = this.server.tcp.listen(request) as Listener;
  }

  /** Floods for this many milliseconds; a client connects at the start of each `everyMs`. */
  run(ms: number, everyMs: number): void {
    for (let i = 0; i < ms; i++) {
      if (i % everyMs === 0) this.#connect();
      for (let syn = 0; syn < this.#options.synsPerMs; syn++) this.spoof();
      this.#passTo(this.now + 1);
    }
  }

  /** Advances the time without a flood. */
  rest(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) this.#passTo(Math.min(end, this.now + 10));
  }

  /** One spoofed SYN. */
  spoof(): void {
    const random = this.#random;
    const { version } = this.#options;
    const w3 = random.uint32() | 0;
    const from = version === 4
      ? new IpAddress(0, 0, 0xffff, 0x0b000000 | (w3 & 0xffffff))
      : new IpAddress(0x20010db8, random.uint32() | 0, 0, w3);
    this.#writer.tcp(from, SERVER[version].address, {
      sourcePort: 1024 + (random.uint32() % 60_000),
      destinationPort: PORT,
      seq: random.uint32() | 0,
      ack: 0,
      flags: FLAG.SYN,
      window: 65_535,
      urgentPointer: 0,
      ecn: 0,
      options: [2, 4, 5, 180, 4, 2, 1, 1],
      textLength: 0,
    });
    this.server.receive(this.#writer.bytes, this.#writer.size, "full", 0, this.now);
    this.#settle();
  }

  #stack(subnet: Subnet, offload: boolean): CoreStack {
    const features: LinkFeatures = { mtu: 1500, maxSuperPacket: 0, checksumOffload: offload };
    const secret = new Uint8Array(SECRET_LENGTH);
    this.#random.fill(secret);
    return new CoreStack({
      features,
      subnets: [subnet],
      tcp: { ...PROFILES[this.#options.profile], ...this.#options.tcp },
      secret,
      maxConnections: 10_000,
      maxTimeWait: 100,
    });
  }

  #connect(): void {
    const request = {
      remote: SERVER[this.#options.version].address,
      remotePort: PORT,
      local: undefined,
      localPort: 0,
    };
    const tcb = this.#client.tcp.connect(request, this.now);
    if (!(tcb instanceof Tcb)) throw new Error(tcb);
    this.attempts++;
    this.#received.set(tcb, 0);
    this.#client.tcp.send(tcb, REQUEST, 0, this.now);
    this.#client.tcp.closeWrite(tcb);
    this.#settle();
  }

  #passTo(time: number): void {
    for (;;) {
      const next = Math.min(
        this.#events.next,
        this.server.nextTimeout(),
        this.#client.nextTimeout(),
      );
      if (next > time) break;
      this.now = Math.max(this.now, next);
      if (this.#events.next <= this.now) this.#events.runNext();
      this.server.handleTimeout(this.now);
      this.#client.handleTimeout(this.now);
      this.#settle();
    }
    this.now = time;
    this.mostConnections = Math.max(this.mostConnections, this.server.tcp.connectionCount);
    this.mostTimers = Math.max(this.mostTimers, this.server.tcp.timerCount);
  }

  #settle(): void {
    while (this.#serve() || this.#use()) {
      // Each may have caused work for the other.
    }
    this.#carry(this.server, this.#client, this.#options.offload === true);
    this.#carry(this.#client, this.server, false);
  }

  /** The server's application echoes. */
  #serve(): boolean {
    const { server } = this;
    let busy = false;
    while (server.tcp.pollListener() !== undefined) {
      for (const tcb of this.listener.ready.splice(0)) tcb.listener = undefined;
      for (const tcb of this.listener.undecided.splice(0)) {
        if (this.#options.decides === "at once") server.tcp.decide(tcb, "accept");
      }
      busy = true;
    }
    for (let tcb = server.tcp.pollConnection(); tcb; tcb = server.tcp.pollConnection()) {
      tcb.events = 0;
      busy = true;
      if (tcb.listener !== undefined) continue;
      for (let count = 1; count > 0;) {
        count = server.tcp.read(tcb, this.#scratch, this.now);
        server.tcp.send(tcb, this.#scratch.subarray(0, count), 0, this.now);
      }
      if (isAtEnd(tcb)) server.tcp.close(tcb, this.now);
    }
    return busy;
  }

  #use(): boolean {
    const client = this.#client;
    let busy = false;
    for (let tcb = client.tcp.pollConnection(); tcb; tcb = client.tcp.pollConnection()) {
      busy = true;
      const { events } = tcb;
      tcb.events = 0;
      const count = client.tcp.read(tcb, this.#scratch, this.now);
      const received = this.#received.get(tcb);
      if (received !== undefined) this.#received.set(tcb, received + count);
      if (isAtEnd(tcb) && tcb.has(FIN_RECEIVED)) client.tcp.close(tcb, this.now);
      if ((events & TCB_EVENT.ENDED) === 0 || !this.#received.has(tcb)) continue;
      if (this.#received.get(tcb) === REQUEST.length && tcb.error === undefined) this.served++;
      else this.failed++;
      this.#received.delete(tcb);
    }
    return busy;
  }

  /** Only packets to the client are delivered. */
  #carry(from: CoreStack, to: CoreStack, isPartial: boolean): void {
    while (from.pollTransmit(this.#out, this.now)) {
      const bytes = new Uint8Array(this.#out.byteLength);
      this.#out.copyTo(bytes, 0);
      const checksum = isPartial && this.#out.checksumPartial ? "partial" : "full";
      if (from === this.server && !this.#isForClient(bytes)) continue;
      this.#events.schedule(
        this.now + DELAY_MS,
        () => to.receive(bytes, bytes.length, checksum, 0, this.now),
      );
    }
  }

  #isForClient(packet: Uint8Array): boolean {
    return this.#options.version === 4
      ? packet[16] === 10
      : packet[24] === 0xfd && packet[39] === 1;
  }
}
