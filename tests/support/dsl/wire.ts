/**
 * A stack in virtual time, on a wire whose other end is the test.
 *
 * @module
 */
import { bindingOf } from "../../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../../core/stack/stack.ts";
import type { Listener } from "../../../core/stack/tcp/listener.ts";
import { PROFILES, type TcpConfig } from "../../../core/tcp/config.ts";
import { brokenInvariants } from "../../../core/tcp/invariants.ts";
import { initialSequence, KeyedHash } from "../../../core/tcp/isn.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import { decode, type SentMessage, type SentSegment } from "./decode.ts";
import { formatTime } from "./notation.ts";

/** Options of the stack under test. */
export interface WireOptions {
  /** Default `local`. */
  profile?: "local" | "internet";
  /** Overrides of the profile. */
  tcp?: Partial<TcpConfig>;
  /** Default 1500. */
  mtu?: number;
  /** Own addresses; default `10.0.0.2/24` and `fd00::2/64`. */
  subnets?: readonly string[];
  /** Addresses in these that are not own. */
  except?: readonly string[];
  maxConnections?: number;
  maxTimeWait?: number;
  /** Time at which the test starts, in milliseconds. */
  start?: number;
}

/** A packet sent by the stack, with its time in milliseconds since the start of the test. */
export interface Sent {
  readonly at: number;
  readonly packet: SentSegment | SentMessage;
}

/** Deadlines are sums of fractions; times closer than this count as equal. */
const SAME_TIME_MS = 0.001;
/** Maximum number of packets sent in one step; more indicate a loop. */
const MAX_PACKETS_PER_STEP = 10_000;
const SECRET = Uint8Array.from({ length: SECRET_LENGTH }, (_, i) => (i * 37 + 11) & 255);

/** A stack, its clock, and the packets it has sent that the test has not checked yet. */
export class Wire {
  readonly stack: CoreStack;
  /** Milliseconds. */
  now: number;
  /** Packets sent but not yet expected by the test. */
  readonly unread: Sent[] = [];
  /** Lines for packets in both directions, shown on failure. */
  readonly log: string[] = [];
  /** Bits of `TCB_EVENT` of each connection since the last `takeEvents()`. */
  readonly events = new Map<Tcb, number>();
  readonly #watched = new Set<Tcb>();
  readonly #out = new OutgoingPacket();
  readonly #made: number;
  #start: number;

  constructor(options: WireOptions = {}) {
    this.now = this.#start = this.#made = options.start ?? 1_000_000;
    this.stack = new CoreStack({
      features: { mtu: options.mtu ?? 1500, maxSuperPacket: 0, checksumOffload: false },
      subnets: (options.subnets ?? ["10.0.0.2/24", "fd00::2/64"]).map((text) =>
        Subnet.parse(text)!
      ),
      excepted: (options.except ?? []).map((text) => Subnet.parse(text)!),
      // Off by default, since few traces are about ECN.
      tcp: { ...PROFILES[options.profile ?? "local"], ecn: false, ...options.tcp },
      secret: SECRET,
      maxConnections: options.maxConnections ?? 1000,
      maxTimeWait: options.maxTimeWait ?? 100,
    });
  }

  /** The time at which this connection's ISN is `iss` (RFC 6528 3). */
  static timeOfIss(
    iss: number,
    local: string,
    localPort: number,
    remote: string,
    remotePort: number,
  ): number {
    const hash = initialSequence(
      new KeyedHash(SECRET),
      IpAddress.parse(local)!,
      localPort,
      IpAddress.parse(remote)!,
      remotePort,
      0,
    );
    return (((iss - hash) >>> 0) + 0.5) / 250;
  }

  /** Milliseconds since the start of the test. */
  get elapsed(): number {
    return this.now - this.#start;
  }

  /** Milliseconds since the stack was created. */
  get age(): number {
    return this.now - this.#made;
  }

  /** Sets the start of the test to now. */
  restartClock(): void {
    this.#start = this.now;
    this.log.push("---");
  }

  /** Runs an action on the stack, collects what it sends, and checks all invariants. */
  step<T>(action: (stack: CoreStack) => T): T {
    const result = action(this.stack);
    this.#drain();
    this.#checkInvariants();
    return result;
  }

  /** Delivers a packet to the stack. */
  inject(packet: Uint8Array): void {
    this.step((stack) => stack.receive(packet, packet.length, "full", 0, this.now));
  }

  /** Advances the time, deadline by deadline. */
  advanceTo(elapsed: number): void {
    const end = this.#start + elapsed;
    if (end < this.now - SAME_TIME_MS) throw new Error(`${elapsed} ms have passed already`);
    for (;;) {
      const next = this.stack.nextTimeout();
      if (next > end + SAME_TIME_MS) break;
      this.now = Math.max(this.now, next);
      this.step((stack) => stack.handleTimeout(this.now));
    }
    this.now = Math.max(this.now, end);
  }

  /** Advances the time until the stack sends, at most by `most` milliseconds. */
  advanceUntilSent(most: number): void {
    const end = this.now + most;
    while (this.unread.length === 0) {
      const next = this.stack.nextTimeout();
      if (next > end) return;
      this.now = Math.max(this.now, next);
      this.step((stack) => stack.handleTimeout(this.now));
    }
  }

  /** Checks the invariants of a connection that is no longer in the tables, too. */
  watch(tcb: Tcb): void {
    this.#watched.add(tcb);
  }

  /** A listener on `port`. */
  listen(port: number, options: { backlog?: number; decides?: boolean } = {}): Listener {
    const { backlog = 511, decides = false } = options;
    const listener = this.stack.tcp.listen({ ...bindingOf(port), backlog, decides });
    if (typeof listener === "string") throw new Error(listener);
    return listener;
  }

  #drain(): void {
    const { stack } = this;
    let packets = 0;
    while (stack.pollTransmit(this.#out, this.now)) {
      const bytes = new Uint8Array(this.#out.byteLength);
      this.#out.copyTo(bytes, 0);
      this.unread.push({ at: this.elapsed, packet: decode(bytes) });
      if (++packets > MAX_PACKETS_PER_STEP) throw new Error("the stack does not stop sending");
    }
    for (
      let tcb = stack.tcp.pollConnection();
      tcb !== undefined;
      tcb = stack.tcp.pollConnection()
    ) {
      this.events.set(tcb, (this.events.get(tcb) ?? 0) | tcb.events);
      tcb.events = 0;
    }
    while (stack.tcp.pollListener() !== undefined);
  }

  #checkInvariants(): void {
    for (const tcb of new Set([...this.#watched, ...this.stack.tcp.connections()])) {
      const broken = brokenInvariants(tcb);
      if (broken.length === 0) continue;
      const when = formatTime(this.elapsed);
      throw new Error(`in ${tcb.state} at ${when} this does not hold: ${broken.join("; ")}`);
    }
  }
}
