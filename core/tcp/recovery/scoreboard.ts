/**
 * The scoreboard: ranges that were sent and not acknowledged, for retransmission, SACK (RFC 6675) and
 * RACK (RFC 8985).
 *
 * @module
 */
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../../wire/seq.ts";
import type { FieldCodec } from "../frozen/field_codec.ts";
import type { SendOrders } from "./send_orders.ts";

/**
 * At this number of ranges, SACK blocks no longer split them: a peer that reports single bytes must
 * not create an unlimited number of ranges (RFC 2018 4 asks for whole segments).
 */
export const MAX_CUT_RANGES = 4096;

/**
 * Maximum number of ranges in the record of a connection that moves: each sent packet is one, and
 * the send buffer bounds them.
 */
export const MAX_RANGES = 65_536;

/** Maximum number of unused records. */
const MAX_FREE = 4096;
/** Maximum capacity that an empty scoreboard keeps. */
const MAX_KEPT = 64;

/** A range that was sent in one packet. A super-packet is one range until it has to be split. */
export class SentRange {
  start = 0;
  end = 0;
  /** When it was last sent. */
  sentAt = 0;
  /** Its position in the order of sending. */
  order = 0;
  /** Number of times that it was sent. */
  transmissions = 0;
  /** The peer has reported it as received (RFC 2018). */
  sacked = false;
  /** The range has to be retransmitted. */
  lost = false;
  /** The connection's rate counters when it was sent (`rate_sampler.ts`); `-1`: not sampled. */
  delivered = 0;
  deliveredAt: number = -1;
  firstSentAt = 0;
  applicationLimited = false;
  txInFlight = 0;
  lostBefore = 0;

  get length(): number {
    return seqDiff(this.end, this.start);
  }

  visitFields(codec: FieldCodec, orders: SendOrders): void {
    this.start = codec.int("start", this.start);
    this.end = codec.int("end", this.end);
    this.sentAt = codec.time("sentAt", this.sentAt);
    this.order = orders.visit(codec, "order", this.order);
    this.transmissions = codec.count("transmissions", this.transmissions);
    this.sacked = codec.flag("sacked", this.sacked);
    this.lost = codec.flag("lost", this.lost);
    this.delivered = codec.count("delivered", this.delivered);
    this.deliveredAt = codec.time("deliveredAt", this.deliveredAt);
    this.firstSentAt = codec.time("firstSentAt", this.firstSentAt);
    this.applicationLimited = codec.flag("applicationLimited", this.applicationLimited);
    this.txInFlight = codec.count("txInFlight", this.txInFlight);
    this.lostBefore = codec.count("lostBefore", this.lostBefore);
  }
}

/** Shared by the scoreboards of a stack. */
export class SentRecords {
  /** Unused records. */
  readonly free: SentRange[] = [];
  /**
   * Last position in the order of sending; one counter for all connections, since scoreboards are
   * reused.
   */
  order = 0;
}

/** Called for each range that has arrived, before it is changed. */
export interface DeliveryVisitor {
  arrived(range: SentRange): void;
}

/** Ranges in order, without gaps, from SND.UNA to SND.NXT. */
export class Scoreboard {
  /** Valid from `#head` to `#end`. */
  #ranges: SentRange[] = [];
  #head = 0;
  #end = 0;
  readonly #records: SentRecords;
  /** Bytes in the network: neither acknowledged, sacked nor lost. */
  inFlight = 0;
  /** Bytes that have to be retransmitted. */
  lostBytes = 0;
  /** Sacked bytes. */
  sackedBytes = 0;

  constructor(records: SentRecords = new SentRecords()) {
    this.#records = records;
  }

  get count(): number {
    return this.#end - this.#head;
  }

  /** Visits the ranges; when reading, the scoreboard is empty and not the shared one. */
  visitFields(codec: FieldCodec, orders: SendOrders): void {
    const { count } = this;
    codec.list("ranges", count, MAX_RANGES, (i) => {
      const range = i < count ? this.at(i) : this.#take();
      range.visitFields(codec, orders);
      if (i < count || range.length <= 0) return;
      this.#ranges[this.#end++] = range;
      if (range.sacked) this.sackedBytes += range.length;
      else if (range.lost) this.lostBytes += range.length;
      else this.inFlight += range.length;
    });
  }

  get isEmpty(): boolean {
    return this.#end === this.#head;
  }

  /** Range `i`; 0 is the earliest. */
  at(i: number): SentRange {
    return this.#ranges[this.#head + i]!;
  }

  /** Adds new data or a FIN. */
  sent(start: number, end: number, now: number): SentRange {
    const range = this.#take();
    range.start = start;
    range.end = end;
    range.sentAt = now;
    range.order = ++this.#records.order;
    range.transmissions = 1;
    this.#ranges[this.#end++] = range;
    this.inFlight += seqDiff(end, start);
    return range;
  }

  /** The first lost range. */
  firstLost(): SentRange | undefined {
    if (this.lostBytes === 0) return undefined;
    for (let i = this.#head; i < this.#end; i++) {
      if (this.#ranges[i]!.lost) return this.#ranges[i];
    }
    return undefined;
  }

  /** Records that `range` was retransmitted. */
  markRetransmitted(range: SentRange, now: number): void {
    if (range.lost) {
      range.lost = false;
      this.lostBytes -= range.length;
      this.inFlight += range.length;
    }
    range.sentAt = now;
    range.order = ++this.#records.order;
    range.transmissions++;
  }

  /** Marks a range lost, unless it is sacked. */
  markLost(range: SentRange): void {
    if (range.lost || range.sacked) return;
    range.lost = true;
    this.lostBytes += range.length;
    this.inFlight -= range.length;
  }

  /** Marks everything lost that is not sacked. */
  markAllLost(): void {
    for (let i = this.#head; i < this.#end; i++) this.markLost(this.#ranges[i]!);
  }

  /** Clears all loss marks. */
  markNoneLost(): void {
    for (let i = this.#head; i < this.#end; i++) {
      const range = this.#ranges[i]!;
      if (!range.lost) continue;
      range.lost = false;
      this.lostBytes -= range.length;
      this.inFlight += range.length;
    }
  }

  /** The peer has discarded sacked data (RFC 2018 8). */
  forgetSacks(): void {
    for (let i = this.#head; i < this.#end; i++) {
      const range = this.#ranges[i]!;
      if (!range.sacked) continue;
      range.sacked = false;
      this.sackedBytes -= range.length;
      this.inFlight += range.length;
    }
  }

  /** Splits `range` at `at`; the second part becomes a range after it. */
  split(range: SentRange, at: number): void {
    this.#cut(range, at, this.#indexFrom(range.start));
  }

  /** {@link split} for `range` at index `i`. */
  #cut(range: SentRange, at: number, i: number): void {
    if (seqGeq(at, range.end) || seqLeq(at, range.start)) return;
    const rest = this.#take();
    rest.start = at;
    rest.end = range.end;
    rest.sentAt = range.sentAt;
    rest.order = range.order;
    rest.transmissions = range.transmissions;
    rest.sacked = range.sacked;
    rest.lost = range.lost;
    rest.delivered = range.delivered;
    rest.deliveredAt = range.deliveredAt;
    rest.firstSentAt = range.firstSentAt;
    rest.applicationLimited = range.applicationLimited;
    rest.txInFlight = range.txInFlight;
    rest.lostBefore = range.lostBefore;
    range.end = at;
    this.#ranges.splice(this.#head + i + 1, 0, rest);
    this.#end++;
  }

  /** Index of the first range that ends after `seq`. */
  #indexFrom(seq: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seqGt(this.at(middle).end, seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Removes what `ack` acknowledges; `visitor` sees each range that was not sacked. */
  acknowledge(ack: number, visitor: DeliveryVisitor): void {
    while (!this.isEmpty) {
      const range = this.at(0);
      if (seqLeq(ack, range.start)) break;
      if (seqLt(ack, range.end)) {
        this.#discount(range, seqDiff(ack, range.start));
        range.start = ack;
        break;
      }
      if (!range.sacked) visitor.arrived(range);
      this.#discount(range, range.length);
      this.#drop();
    }
  }

  /** Marks `start` to `end` sacked; `visitor` sees each newly sacked range. */
  sack(start: number, end: number, visitor: DeliveryVisitor): void {
    for (let i = this.#indexFrom(start); i < this.count; i++) {
      const range = this.at(i);
      if (seqGeq(range.start, end)) return;
      if (range.sacked) continue;
      const isCut = seqLt(range.start, start) || seqGt(range.end, end);
      if (isCut && this.count >= MAX_CUT_RANGES) continue;
      if (seqLt(range.start, start)) {
        this.#cut(range, start, i);
        continue;
      }
      if (seqGt(range.end, end)) this.#cut(range, end, i);
      visitor.arrived(range);
      this.#discount(range, range.length);
      range.sacked = true;
      range.lost = false;
      this.sackedBytes += range.length;
    }
  }

  clear(): void {
    this.#empty();
    this.inFlight = this.lostBytes = this.sackedBytes = 0;
  }

  /** Subtracts `length` bytes of `range` from the sums. */
  #discount(range: SentRange, length: number): void {
    if (range.sacked) this.sackedBytes -= length;
    else if (range.lost) this.lostBytes -= length;
    else this.inFlight -= length;
  }

  #take(): SentRange {
    const range = this.#records.free.pop();
    if (range === undefined) return new SentRange();
    range.sacked = range.lost = false;
    range.deliveredAt = -1;
    return range;
  }

  #drop(): void {
    const range = this.#ranges[this.#head]!;
    this.#head++;
    const { free } = this.#records;
    if (free.length < MAX_FREE) free.push(range);
    if (this.isEmpty) {
      this.#empty();
    } else if (this.#head >= 64 && this.#head * 2 >= this.#end) {
      this.#ranges.splice(0, this.#head);
      this.#end -= this.#head;
      this.#head = 0;
    }
  }

  #empty(): void {
    if (this.#ranges.length > MAX_KEPT) this.#ranges = [];
    this.#head = this.#end = 0;
  }
}
