/**
 * A connection in a test: segments in, segments out, calls and time.
 *
 * Sequence numbers are relative to the sender's initial sequence number, so that each SYN has 0 and
 * the first byte of text 1.
 *
 * @module
 */
import type { TcpState } from "../../../core/tcp/state.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import type { SentMessage, SentSegment } from "./decode.ts";
import { encodeTcp, type TcpOptions } from "./encode.ts";
import { failure } from "./failure.ts";
import { flagBits, flagLetters, formatSegment, formatTime, type NotedSegment } from "./notation.ts";
import type { ExpectedSegment, PeerSegment, TraceOptions } from "./segments.ts";
import { ByteStream } from "./stream.ts";
import { Wire } from "./wire.ts";

const REACH = 0x80000000;

/** One connection of a {@link Wire}. */
export class Trace {
  readonly wire: Wire;
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly irs: number;
  /** The stack's initial sequence number, once it has sent a SYN. */
  iss = 0;
  /** The peer's window field. */
  window: number;
  /** Whether timestamps are in use; the peer's clock is `peerClock` plus the stack's age. */
  timestamps = false;
  peerClock = 5000;
  #tcb: Tcb | undefined;
  #peerNext = 0;
  #stackNext = 0;
  #acked = 0;
  #tsRecent = 0;
  #read = 1;
  readonly #fromPeer = new ByteStream();
  readonly #fromStack = new ByteStream();

  constructor(wire: Wire, options: TraceOptions = {}) {
    this.wire = wire;
    this.local = options.local ?? "10.0.0.2";
    this.localPort = options.localPort ?? 80;
    this.remote = options.remote ?? "10.0.0.1";
    this.remotePort = options.remotePort ?? 40_000;
    this.irs = options.irs ?? 1_000_000;
    this.window = options.window ?? 0xffff;
    this.#fromStack.length = this.#fromPeer.length = 1;
  }

  // ---------------------------------------------------------------- segments

  /** The peer sends a segment. */
  send(segment: PeerSegment = {}): void {
    if (segment.at !== undefined) this.at(segment.at);
    this.#failIfUnread("the peer sent");
    const flags = flagBits(segment.flags ?? ".");
    const seq = segment.seq ?? this.#peerNext;
    const text = segment.data === undefined
      ? new Uint8Array(0)
      : this.#fromPeer.put(seq + ((flags >> 1) & 1), segment.data);
    const hasAck = (flags & 16) !== 0;
    const ack = segment.ack ?? this.#stackNext;
    const options = segment.options ?? this.#defaultOptions();
    const window = segment.window ?? this.window;
    const length = text.length + (flags & 1) + ((flags >> 1) & 1);
    this.#peerNext = Math.max(this.#peerNext, seq + length);
    const noted = { flags: flagLetters(flags), seq, length: text.length, window, options };
    this.#log("<", { ...noted, ack: hasAck ? ack : undefined });
    this.wire.inject(encodeTcp({
      source: this.remote,
      destination: this.local,
      sourcePort: this.remotePort,
      destinationPort: this.localPort,
      seq: (this.irs + seq) >>> 0,
      ack: hasAck ? (this.iss + ack) >>> 0 : 0,
      flags,
      window,
      options: this.#absoluteSack(options),
      text,
      checksumError: segment.checksumError ?? 0,
      urgentPointer: segment.urgentPointer ?? 0,
      trafficClass: segment.ecn ?? 0,
    }));
  }

  /** Expects this segment as the next packet of the stack; returns it. */
  recv(expected: ExpectedSegment = {}): SentSegment {
    if (expected.at !== undefined && this.wire.unread.length === 0) {
      this.wire.advanceUntilSent(Math.max(0, expected.at + 0.0005 - this.wire.elapsed));
    }
    const at = expected.at ?? this.wire.elapsed;
    const flags = flagLetters(flagBits(expected.flags ?? "."));
    const wanted: NotedSegment = {
      flags,
      seq: expected.seq ?? this.#stackNext,
      length: expected.length ?? 0,
      ack: flags.includes(".") ? expected.ack ?? this.#acked : undefined,
      window: expected.window,
      options: expected.options,
    };
    const sent = this.wire.unread.shift();
    if (sent === undefined) this.#fail(at, formatSegment(wanted), "nothing was sent");
    if (sent.packet.protocol !== "tcp") this.#fail(at, formatSegment(wanted), "an ICMP message");
    const { packet } = sent;
    this.#failUnlessMine(packet, at, wanted);
    this.#learnIss(packet);
    const got = this.#noted(packet);
    this.#log(">", got);
    const late = Math.abs(sent.at - at) > 0.001;
    if (late || formatSegment(wanted) !== formatSegment(withoutUnasked(got, wanted))) {
      this.#fail(at, formatSegment(wanted), formatSegment(got), sent.at);
    }
    this.#checkText(got.seq, packet.text);
    this.#stackNext = Math.max(this.#stackNext, got.seq + lengthOf(got));
    if (got.ack !== undefined) this.#acked = got.ack;
    if (packet.options.timestamps) this.#tsRecent = packet.options.timestamps[0];
    return packet;
  }

  /** Expects an ICMP message as the next packet of the stack; returns it. */
  recvIcmp(type: number, code: number): SentMessage {
    const sent = this.wire.unread.shift();
    const at = this.wire.elapsed;
    const wanted = `icmp type ${type} code ${code}`;
    if (sent === undefined) this.#fail(at, wanted, "nothing was sent");
    if (sent.packet.protocol !== "icmp") this.#fail(at, wanted, "a TCP segment");
    const got = `icmp type ${sent.packet.type} code ${sent.packet.code}`;
    if (got !== wanted) this.#fail(at, wanted, got);
    return sent.packet;
  }

  /** Expects that the stack has sent nothing else. */
  recvNothing(): void {
    this.#failIfUnread("nothing was expected");
  }

  /** Returns everything that the stack has sent, as segments, without checking it. */
  recvAll(): SentSegment[] {
    const packets: SentSegment[] = [];
    while (this.wire.unread.length > 0) {
      const next = this.wire.unread[0]!.packet as SentSegment;
      const got = this.#noted(next);
      packets.push(this.recv({
        at: this.wire.unread[0]!.at,
        flags: got.flags,
        seq: got.seq,
        length: got.length,
        ...(got.ack === undefined ? {} : { ack: got.ack }),
      }));
    }
    return packets;
  }

  // ---------------------------------------------------------------- time

  /** Advances the time to `ms` after the start. */
  at(ms: number): void {
    this.#failIfUnread("time passes");
    this.wire.advanceTo(ms);
  }

  /** Advances the time by `ms`. */
  after(ms: number): void {
    this.at(this.wire.elapsed + ms);
  }

  // ---------------------------------------------------------------- calls

  /** The application writes text, or a number of bytes; returns the number accepted. */
  write(data: string | number): number {
    const bytes = this.#fromStack.put(this.#fromStack.length, data);
    const taken = this.wire.step((stack) => stack.tcp.send(this.tcb, bytes, 0, this.wire.now));
    this.#fromStack.length -= bytes.length - taken;
    return taken;
  }

  /** The application reads up to `most` bytes, which are checked; returns their number. */
  read(most = 0x1000000): number {
    const target = new Uint8Array(Math.min(most, Math.max(1, this.tcb.receive.readable)));
    const count = this.wire.step((stack) => stack.tcp.read(this.tcb, target, this.wire.now));
    const wrong = this.#fromPeer.firstDifference(this.#read, target.subarray(0, count));
    if (wrong >= 0) throw new Error(`byte ${wrong} differs from what the peer sent`);
    this.#read += count;
    return count;
  }

  /** The application has processed what it has read. */
  markProcessed(): void {
    this.wire.step((stack) => stack.tcp.markProcessed(this.tcb, this.wire.now));
  }

  /** The application expects to answer what it reads. */
  delayAcks(): void {
    this.wire.step((stack) => stack.tcp.delayAcks(this.tcb));
  }

  closeWrite(): void {
    this.wire.step((stack) => stack.tcp.closeWrite(this.tcb));
  }

  close(): void {
    this.wire.step((stack) => stack.tcp.close(this.tcb, this.wire.now));
  }

  abort(): void {
    this.wire.step((stack) => stack.tcp.abort(this.tcb));
  }

  /** OPEN, active, to the peer. */
  connect(): void {
    const request = {
      remote: IpAddress.parse(this.remote)!,
      remotePort: this.remotePort,
      local: IpAddress.parse(this.local)!,
      localPort: this.localPort,
    };
    const tcb = this.wire.step((stack) => stack.tcp.connect(request, this.wire.now));
    if (typeof tcb === "string") throw new Error(tcb);
    this.#tcb = tcb;
    this.wire.watch(tcb);
  }

  // ---------------------------------------------------------------- looking

  /** The connection's record, even after it has left the stack's tables. */
  get tcb(): Tcb {
    const found = this.find();
    if (found === undefined) throw new Error("there is no such connection");
    return found;
  }

  /** The connection in the stack's tables, or the last one that was there. */
  find(): Tcb | undefined {
    const current = this.wire.stack.tcp.connections().find((tcb) =>
      tcb.remotePort === this.remotePort && tcb.localPort === this.localPort &&
      tcb.remote.equals(IpAddress.parse(this.remote)!) &&
      tcb.local.equals(IpAddress.parse(this.local)!)
    );
    if (current !== undefined && current !== this.#tcb) {
      this.#tcb = current;
      this.wire.watch(current);
    }
    return this.#tcb;
  }

  get state(): TcpState {
    return this.find()?.state ?? "CLOSED";
  }

  /** Whether the stack has released the connection. */
  get isForgotten(): boolean {
    return !this.wire.stack.tcp.connections().includes(this.tcb);
  }

  /** Bits of `TCB_EVENT` since the last call. */
  takeEvents(): number {
    const events = this.wire.events.get(this.tcb) ?? 0;
    this.wire.events.delete(this.tcb);
    return events;
  }

  /** Another connection of the same stack, by default from another port of the same peer. */
  other(options: TraceOptions): Trace {
    const { local, localPort, remote, remotePort, irs, window } = this;
    return new Trace(this.wire, { local, localPort, remote, remotePort, irs, window, ...options });
  }

  // ---------------------------------------------------------------- helpers

  #defaultOptions(): TcpOptions {
    return this.timestamps ? { timestamps: [this.peerTime, this.#tsRecent] } : {};
  }

  /** The peer's timestamp clock. */
  get peerTime(): number {
    return this.peerClock + Math.floor(this.wire.age);
  }

  /** SACK blocks of the peer are in the stack's sequence space. */
  #absoluteSack(options: TcpOptions): TcpOptions {
    if (options.sack === undefined) return options;
    const sack = options.sack.map(([start, end]) =>
      [(this.iss + start) >>> 0, (this.iss + end) >>> 0] as const
    );
    return { ...options, sack };
  }

  #noted(packet: SentSegment): NotedSegment {
    const { sack } = packet.options;
    const blocks = sack?.map(([start, end]) =>
      [relative(start, this.irs), relative(end, this.irs)] as const
    );
    return {
      flags: flagLetters(packet.flags),
      seq: relative(packet.seq, this.iss),
      length: packet.text.length,
      ack: (packet.flags & 16) !== 0 ? relative(packet.ack, this.irs) : undefined,
      window: packet.window,
      options: blocks === undefined ? packet.options : { ...packet.options, sack: blocks },
    };
  }

  #learnIss(packet: SentSegment): void {
    if ((packet.flags & 2) === 0 || packet.seq === this.iss) return;
    this.iss = packet.seq;
    this.#stackNext = 0;
  }

  #failUnlessMine(packet: SentSegment, at: number, wanted: NotedSegment): void {
    const mine = packet.sourcePort === this.localPort && packet.source === this.local &&
      packet.destinationPort === this.remotePort && packet.destination === this.remote;
    if (mine) return;
    const ends =
      `${packet.source} ${packet.sourcePort} > ${packet.destination} ${packet.destinationPort}`;
    this.#fail(at, formatSegment(wanted), `a segment from ${ends}`);
  }

  #checkText(seq: number, text: Uint8Array): void {
    const wrong = this.#fromStack.firstDifference(seq, text);
    if (wrong >= 0) throw new Error(`byte ${wrong} differs from what was written`);
  }

  #failIfUnread(when: string): void {
    const sent = this.wire.unread[0];
    if (sent === undefined) return;
    const got = sent.packet.protocol === "tcp"
      ? formatSegment(this.#noted(sent.packet))
      : `icmp type ${sent.packet.type} code ${sent.packet.code}`;
    this.#fail(this.wire.elapsed, `nothing before ${when}`, got, sent.at);
  }

  #log(direction: "<" | ">", segment: NotedSegment): void {
    this.wire.log.push(`${formatTime(this.wire.elapsed)} ${direction} ${formatSegment(segment)}`);
  }

  #fail(at: number, wanted: string, got: string, gotAt = at): never {
    throw failure(this.wire.log, [at, wanted], [gotAt, got]);
  }
}

function relative(number: number, base: number): number {
  const difference = (number - base) >>> 0;
  return difference >= REACH ? difference - 2 * REACH : difference;
}

function lengthOf(segment: NotedSegment): number {
  return segment.length + (/[SF]/.test(segment.flags) ? 1 : 0);
}

/** Replaces fields that the test does not check. */
function withoutUnasked(got: NotedSegment, wanted: NotedSegment): NotedSegment {
  return {
    ...got,
    window: wanted.window === undefined ? undefined : got.window,
    options: wanted.options === undefined ? undefined : got.options,
  };
}
