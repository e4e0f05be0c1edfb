/**
 * What has been sent and not acknowledged, as ranges with their time of sending: the memory of
 * retransmission, SACK (RFC 6675) and RACK (RFC 8985).
 *
 * @module
 */
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../../wire/seq.ts";

/**
 * With more ranges than this a SACK block counts only for those that it covers: a peer that reports
 * single bytes must not make many of them (RFC 2018 4 has it report whole segments).
 */
export const MAX_CUT_RANGES = 4096;

/** Records kept for use again, at most. */
const MAX_FREE = 4096;
/** An empty scoreboard keeps this many places, at most. */
const MOST_KEPT = 64;

/** A range that was sent in one packet; a super-packet is one range until it has to be split. */
export class SentRange {
  start = 0;
  end = 0;
  /** When it was sent last. */
  sentAt = 0;
  /** Its place in the order in which everything was sent. */
  order = 0;
  /** Times it was sent. */
  transmissions = 0;
  /** The peer has it (RFC 2018). */
  sacked = false;
  /** It has to be sent again. */
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
}

/** What the scoreboards of a stack share. */
export class SentRecords {
  /** To use again. */
  readonly free: SentRange[] = [];
  /** The place of the last one in the order of sending: of all connections, as boards change hands. */
  order = 0;
}

/** Told of each range that has arrived, while it still is what it was. */
export interface DeliveryVisitor {
  arrived(range: SentRange): void;
}

/** Ranges in order of sequence, without gaps, from SND.UNA to SND.NXT. */
export class Scoreboard {
  /** From `#head` to `#end`; what lies outside is of no meaning. */
  #ranges: SentRange[] = [];
  #head = 0;
  #end = 0;
  readonly #records: SentRecords;
  /** Bytes believed to be in the network: sent, neither acknowledged, sacked nor lost. */
  inFlight = 0;
  /** Bytes that have to be sent again. */
  lostBytes = 0;
  /** Bytes that the peer holds behind a hole. */
  sackedBytes = 0;

  constructor(records: SentRecords = new SentRecords()) {
    this.#records = records;
  }

  get count(): number {
    return this.#end - this.#head;
  }

  get isEmpty(): boolean {
    return this.#end === this.#head;
  }

  /** Range `i`, 0 being the earliest. */
  at(i: number): SentRange {
    return this.#ranges[this.#head + i]!;
  }

  /** New data or a FIN has been sent for the first time. */
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

  /** The first range that has to be sent again. */
  firstLost(): SentRange | undefined {
    if (this.lostBytes === 0) return undefined;
    for (let i = this.#head; i < this.#end; i++) {
      if (this.#ranges[i]!.lost) return this.#ranges[i];
    }
    return undefined;
  }

  /** `range` has been sent again. */
  resent(range: SentRange, now: number): void {
    if (range.lost) {
      range.lost = false;
      this.lostBytes -= range.length;
      this.inFlight += range.length;
    }
    range.sentAt = now;
    range.order = ++this.#records.order;
    range.transmissions++;
  }

  /** `range` was not received. */
  markLost(range: SentRange): void {
    if (range.lost || range.sacked) return;
    range.lost = true;
    this.lostBytes += range.length;
    this.inFlight -= range.length;
  }

  /** Everything that is not sacked was not received. */
  markAllLost(): void {
    for (let i = this.#head; i < this.#end; i++) this.markLost(this.#ranges[i]!);
  }

  /** Nothing was lost after all. */
  markNoneLost(): void {
    for (let i = this.#head; i < this.#end; i++) {
      const range = this.#ranges[i]!;
      if (!range.lost) continue;
      range.lost = false;
      this.lostBytes -= range.length;
      this.inFlight += range.length;
    }
  }

  /** The peer threw sacked data away (RFC 2018 8). */
  forgetSacks(): void {
    for (let i = this.#head; i < this.#end; i++) {
      const range = this.#ranges[i]!;
      if (!range.sacked) continue;
      range.sacked = false;
      this.sackedBytes -= range.length;
      this.inFlight += range.length;
    }
  }

  /** Cuts `range` so that it ends at `at`; the rest becomes a range of its own behind it. */
  split(range: SentRange, at: number): void {
    this.#cut(range, at, this.#indexFrom(range.start));
  }

  /** `range` is range `i`. */
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

  /** The first range that ends behind `seq`, as its index. */
  #indexFrom(seq: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seqGt(this.at(middle).end, seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Everything before `ack` has arrived: `visitor` sees each range once that the peer had not sacked. */
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

  /** The peer has `start` to `end`: `visitor` sees each range that is new in it. */
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

  /** `length` bytes of `range` count no longer. */
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
    if (this.#ranges.length > MOST_KEPT) this.#ranges = [];
    this.#head = this.#end = 0;
  }
}
