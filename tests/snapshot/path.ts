import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { bindingOf } from "../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { Listener } from "../../core/stack/tcp/listener.ts";
import { type CongestionName, PROFILES } from "../../core/tcp/config.ts";
import { currentRto } from "../../core/tcp/recovery/rtt.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { EventQueue } from "../sim/event_queue.ts";
import { type Conditions, PERFECT, Wire } from "../sim/wire.ts";

/** One sender's connection. */
export interface FlowOptions {
  readonly congestion: CongestionName;
  /** Of both ends. Default `internet`. */
  readonly profile?: "local" | "internet";
  /** Delay until it starts, in milliseconds. */
  readonly startMs?: number;
  /** Number of bytes that the application writes per millisecond. Default: no limit. */
  readonly bytesPerMs?: number;
  /** Maximum size of the sender's buffer. Default: that of the profile. */
  readonly sendBuffer?: number;
}

/** A bottleneck and the flows that share it. */
export interface PathOptions {
  readonly seed: number;
  /** Conditions of both directions; the bandwidth applies to the senders' direction. */
  readonly conditions: Partial<Conditions>;
  /** Differences in the direction of acknowledgements. */
  readonly back?: Partial<Conditions>;
  readonly flows: readonly FlowOptions[];
}

const FEATURES = { mtu: 1500, maxSuperPacket: 0, checksumOffload: true };
const PORT = 80;
const CHUNK = new Uint8Array(0x10000);
const SCRATCH = new Uint8Array(0x100000);
/** Interval of the writes of a rate-limited application. */
const WRITE_MS = 10;

interface Side {
  readonly core: CoreStack;
  readonly wire: Wire;
}

/** A flow, seen from its sender. */
export interface Flow {
  readonly tcb: Tcb;
  /** Number of bytes read by the receiver. */
  readonly received: number;
  /**
   * The longest time in which nothing new was acknowledged or sacked, in RTOs current at its end.
   */
  readonly longestSilence: number;
  /** The same in RTOs without the backoff of RFC 6298 5.5. */
  readonly longestSilenceWithoutBackoff: number;
  /** The longest time in which nothing was sent either, in current RTOs. */
  readonly longestWait: number;
}

class RunningFlow implements Flow {
  readonly sender: Side;
  readonly tcb: Tcb;
  /** Number of bytes that the application writes per millisecond; `undefined` for no limit. */
  bytesPerMs: number | undefined;
  received = 0;
  longestSilence = 0;
  longestSilenceWithoutBackoff = 0;
  longestWait = 0;
  #sndUna = 0;
  #sackedBytes = 0;
  #heardAt: number;
  #movedAt: number;
  /** Includes the backoff since the last acknowledgement. */
  #rto: number;
  #rtoWithoutBackoff: number;

  constructor(sender: Side, tcb: Tcb, options: FlowOptions, now: number) {
    this.sender = sender;
    this.tcb = tcb;
    this.bytesPerMs = options.bytesPerMs;
    this.#heardAt = this.#movedAt = now;
    this.#rto = this.#rtoWithoutBackoff = tcb.config.initialRtoMs;
  }

  /** Whether anything has arrived. */
  noteProgress(now: number): void {
    const { sndUna, scoreboard } = this.tcb;
    const { rtoBackoff } = this.tcb.loss;
    const rto = currentRto(this.tcb);
    const isNew = sndUna !== this.#sndUna || scoreboard.sackedBytes > this.#sackedBytes;
    this.#sndUna = sndUna;
    this.#sackedBytes = scoreboard.sackedBytes;
    if (isNew) {
      this.endSilence(now);
      this.#heardAt = now;
      this.#rtoWithoutBackoff = rto / 2 ** rtoBackoff;
      this.#rto = rto;
      this.#movedAt = now;
    }
  }

  /** Handles a transmission: an expired timer may have doubled the RTO. */
  noteSent(now: number): void {
    this.#endWait(now);
    this.#rto = currentRto(this.tcb);
  }

  /** Counts a silence that lasts until the end. */
  endSilence(now: number): void {
    this.#endWait(now);
    const silence = now - this.#heardAt;
    this.longestSilence = Math.max(this.longestSilence, silence / this.#rto);
    this.longestSilenceWithoutBackoff = Math.max(
      this.longestSilenceWithoutBackoff,
      silence / this.#rtoWithoutBackoff,
    );
  }

  #endWait(now: number): void {
    this.longestWait = Math.max(this.longestWait, (now - this.#movedAt) / this.#rto);
    this.#movedAt = now;
  }
}

/** Bulk transfers over one path, in virtual time. */
export class Path {
  now = 1000;
  /** Called after every step. */
  afterStep: (() => void) | undefined = undefined;
  /** The senders' direction; its conditions may change. */
  readonly wire: Wire;
  readonly #flows: RunningFlow[] = [];
  readonly #events = new EventQueue();
  readonly #out = new OutgoingPacket();
  readonly #sides: Side[] = [];
  readonly #options: PathOptions;
  readonly #receiver: Side;

  constructor(options: PathOptions) {
    this.#options = options;
    const way = { ...PERFECT, ...options.conditions };
    // Acknowledgements have a separate direction with sufficient bandwidth.
    const back = { ...way, bytesPerMs: 0, ...options.back };
    const { profile = "internet" } = options.flows[0]!;
    this.#receiver = this.#side(1, { congestion: "cubic", profile }, back);
    const listening = { ...bindingOf(PORT), backlog: 16, decides: false };
    if (!(this.#receiver.core.tcp.listen(listening) instanceof Listener)) {
      throw new Error("no listener");
    }
    // Flows with the same algorithm share a stack; all share the wire.
    const wire = this.wire = this.#wire(0, way);
    for (const flow of options.flows) {
      const sender = { ...this.#side(this.#sides.length + 1, flow, way), wire };
      this.#sides[this.#sides.length - 1] = sender;
      this.#events.schedule(this.now + (flow.startMs ?? 0), () => this.#start(sender, flow));
    }
  }

  /** Runs for a number of milliseconds. */
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
      this.afterStep?.();
    }
    this.now = end;
    for (const flow of this.#flows) flow.endSilence(end);
    return this;
  }

  /** In the order of their start. */
  get flows(): readonly Flow[] {
    return this.#flows;
  }

  /** Number of bytes read by each flow's receiver. */
  get received(): number[] {
    return this.#flows.map(({ received }) => received);
  }

  #side(index: number, flow: FlowOptions, way: Conditions): Side {
    const { congestion, profile = "internet" } = flow;
    const { sendBuffer = PROFILES[profile].sendBuffer } = flow;
    const secret = new Uint8Array(SECRET_LENGTH);
    seededRandom(this.#options.seed + index * 0x1_0000_0001).fill(secret);
    const core = new CoreStack({
      features: FEATURES,
      subnets: [new Subnet(IpAddress.parse(`10.0.0.${index}`)!, 24)],
      tcp: { ...PROFILES[profile], congestion, sendBuffer },
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

  #start(sender: Side, options: FlowOptions): void {
    const remote = IpAddress.parse("10.0.0.1")!;
    const request = { remote, remotePort: PORT, local: undefined, localPort: 0 };
    const tcb = sender.core.tcp.connect(request, this.now);
    if (!(tcb instanceof Tcb)) throw new Error(tcb);
    const flow = new RunningFlow(sender, tcb, options, this.now);
    this.#flows.push(flow);
    this.#startWriting(flow);
  }

  /** Changes how much the application of a flow writes per millisecond; `undefined` for no limit. */
  limit(index: number, bytesPerMs: number | undefined): void {
    const flow = this.#flows[index]!;
    const wasUnlimited = flow.bytesPerMs === undefined;
    flow.bytesPerMs = bytesPerMs;
    if (wasUnlimited || bytesPerMs === undefined) this.#startWriting(flow);
  }

  #startWriting(flow: RunningFlow): void {
    if (flow.bytesPerMs === undefined) this.#fill(flow);
    else this.#write(flow);
    this.#settle(flow.sender);
  }

  #fill({ sender, tcb }: RunningFlow): void {
    while (sender.core.tcp.send(tcb, CHUNK, 0, this.now) === CHUNK.length);
  }

  #write(flow: RunningFlow): void {
    const { sender, tcb, bytesPerMs } = flow;
    if (bytesPerMs === undefined) return;
    // Call it even for 0 bytes, so that a writer that waits for room continues.
    sender.core.tcp.send(tcb, CHUNK.subarray(0, bytesPerMs * WRITE_MS), 0, this.now);
    this.#events.schedule(this.now + WRITE_MS, () => this.#write(flow));
  }

  #settle(side: Side): void {
    const { core } = side;
    while (core.tcp.pollListener() !== undefined);
    for (let tcb = core.tcp.pollConnection(); tcb; tcb = core.tcp.pollConnection()) {
      tcb.events = 0;
      const flow = this.#flowOf(side, tcb);
      if (side === this.#receiver) this.#read(tcb, flow);
      else if (flow && flow.bytesPerMs === undefined) this.#fill(flow);
    }
    for (const flow of this.#flows) if (flow.sender === side) flow.noteProgress(this.now);
    while (core.pollTransmit(this.#out, this.now)) {
      side.wire.send(this.#out, this.now);
      for (const flow of this.#flows) if (flow.sender === side) flow.noteSent(this.now);
    }
  }

  #flowOf(side: Side, tcb: Tcb): RunningFlow | undefined {
    if (side !== this.#receiver) return this.#flows.find((flow) => flow.tcb === tcb);
    return this.#flows.find(({ sender, tcb: other }) =>
      other.localPort === tcb.remotePort && sender === this.#sides[(tcb.remote.w3 & 255) - 1]
    );
  }

  #read(tcb: Tcb, flow: RunningFlow | undefined): void {
    for (;;) {
      const count = this.#receiver.core.tcp.read(tcb, SCRATCH, this.now);
      if (count <= 0) break;
      if (flow) flow.received += count;
    }
  }
}
