import { placeOf } from "../../core/api/where.ts";
import { seededRandom } from "../../adapters/seeded_random.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import { Listener } from "../../core/stack/listener.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { type CongestionName, PROFILES } from "../../core/tcp/config.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { EventQueue } from "../sim/event_queue.ts";
import { type Conditions, PERFECT, Wire } from "../sim/wire.ts";

/** One sender's connection. */
export interface FlowOptions {
  readonly congestion: CongestionName;
  /** Milliseconds until it begins. */
  readonly startMs?: number;
}

/** A bottleneck and those who share it. */
export interface PathOptions {
  readonly seed: number;
  /** Both directions; `bytesPerMs` and `queueBytes` only on the senders' way. */
  readonly conditions: Partial<Conditions>;
  readonly flows: readonly FlowOptions[];
}

const FEATURES = { mtu: 1500, maxSuperPacket: 0, checksumOffload: true };
const PORT = 80;
const CHUNK = new Uint8Array(0x10000);
const SCRATCH = new Uint8Array(0x100000);

interface Side {
  readonly core: CoreStack;
  readonly wire: Wire;
}

interface Flow {
  readonly sender: Side;
  readonly tcb: Tcb;
  received: number;
}

/** Bulk transfers over one path, in virtual time. */
export class Path {
  now = 1000;
  readonly flows: Flow[] = [];
  readonly #events = new EventQueue();
  readonly #out = new OutgoingPacket();
  readonly #sides: Side[] = [];
  readonly #options: PathOptions;
  readonly #receiver: Side;

  constructor(options: PathOptions) {
    this.#options = options;
    const way = { ...PERFECT, ...options.conditions };
    // Acknowledgements have a way of their own that is wide enough.
    this.#receiver = this.#side(1, "cubic", { ...way, bytesPerMs: 0 });
    const listening = { ...placeOf(PORT), backlog: 16, decides: false };
    if (!(this.#receiver.core.tcp.listen(listening) instanceof Listener)) {
      throw new Error("no listener");
    }
    // Connections of one algorithm share a stack, all share the wire.
    const wire = this.#wire(0, way);
    for (const { congestion, startMs = 0 } of options.flows) {
      const sender = { ...this.#side(this.#sides.length + 1, congestion, way), wire };
      this.#sides[this.#sides.length - 1] = sender;
      this.#events.schedule(this.now + startMs, () => this.#start(sender));
    }
  }

  /** Runs for so many milliseconds. */
  run(ms: number): this {
    const end = this.now + ms;
    for (;;) {
      let next = this.#events.next;
      for (const { core } of this.#sides) next = Math.min(next, core.nextTimeout());
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (this.#events.next <= next) this.#events.runNext();
      else for (const { core } of this.#sides) core.handleTimeout(this.now);
      for (const side of this.#sides) this.#settle(side);
    }
    this.now = end;
    return this;
  }

  /** Bytes that each flow's receiver has read. */
  get received(): number[] {
    return this.flows.map(({ received }) => received);
  }

  #side(index: number, congestion: CongestionName, way: Conditions): Side {
    const secret = new Uint8Array(SECRET_LENGTH);
    seededRandom(this.#options.seed + index * 0x1_0000_0001).fill(secret);
    const core = new CoreStack({
      features: FEATURES,
      subnets: [new Subnet(IpAddress.parse(`10.0.0.${index}`)!, 24)],
      tcp: { ...PROFILES.internet, congestion },
      secret,
      maxConnections: 16,
      maxTimeWait: 4,
    });
    const side = { core, wire: this.#wire(index, way) };
    this.#sides.push(side);
    return side;
  }

  #wire(index: number, way: Conditions): Wire {
    const random = seededRandom(this.#options.seed * 1000 + index);
    return new Wire(
      way,
      FEATURES,
      random,
      (at, { bytes, checksum, segmentSize }) =>
        this.#events.schedule(at, () => {
          const to = this.#sides[bytes[19]! - 1]!;
          to.core.receive(bytes, bytes.length, checksum, segmentSize, this.now);
          this.#settle(to);
        }),
    );
  }

  #start(sender: Side): void {
    const remote = IpAddress.parse("10.0.0.1")!;
    const request = { remote, remotePort: PORT, local: undefined, localPort: 0 };
    const tcb = sender.core.tcp.connect(request, this.now);
    if (!(tcb instanceof Tcb)) throw new Error(tcb);
    this.flows.push({ sender, tcb, received: 0 });
    this.#fill(sender, tcb);
    this.#settle(sender);
  }

  #fill({ core }: Side, tcb: Tcb): void {
    while (core.tcp.send(tcb, CHUNK, 0, this.now) === CHUNK.length);
  }

  #settle(side: Side): void {
    const { core } = side;
    while (core.tcp.pollListener() !== undefined);
    for (let tcb = core.tcp.pollConnection(); tcb; tcb = core.tcp.pollConnection()) {
      tcb.events = 0;
      if (side !== this.#receiver) this.#fill(side, tcb);
      else this.#read(tcb);
    }
    while (core.pollTransmit(this.#out, this.now)) side.wire.send(this.#out, this.now);
  }

  #read(tcb: Tcb): void {
    const flow = this.flows.find(({ sender, tcb: other }) =>
      other.localPort === tcb.remotePort && sender === this.#sides[(tcb.remote.w3 & 255) - 1]
    );
    for (let count = 1; count > 0;) {
      count = this.#receiver.core.tcp.read(tcb, SCRATCH, this.now);
      if (flow !== undefined) flow.received += count;
    }
  }
}
