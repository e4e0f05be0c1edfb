/**
 * State of RACK (RFC 8985 6): a segment is lost if one that was sent sufficiently later has arrived.
 *
 * @module
 */
import { seqGt, seqLt } from "../../wire/seq.ts";
import { type FieldCodec, optionalInt } from "../frozen/field_codec.ts";
import type { SendOrders } from "./send_orders.ts";
import type { SentRange } from "./scoreboard.ts";

/** Number of recoveries after which the reordering window is reset (RFC 8985 6.2 step 4). */
const REO_WND_PERSIST = 16;

/** The most recently sent segment that has arrived, and the reordering window. */
export class Rack {
  sentAt: number = -Infinity;
  /** Position of that segment in the order of sending. */
  order = 0;
  end = 0;
  rtt = 0;
  /** Highest sequence number acknowledged or sacked (RFC 8985 6.2, RACK.fack). */
  highest: number | undefined = undefined;
  /** RACK.reordering_seen: an original segment arrived below `highest`. */
  reorderingSeen = false;
  /** RACK.reo_wnd_mult: the reordering window in quarters of the minimum RTT. */
  #reoWndMult = 1;
  /** RACK.reo_wnd_persist: recoveries until the reordering window is reset (RFC 8985 6.2). */
  #reoWndPersist = 0;
  /** SND.NXT when a D-SACK arrived: only one per round trip counts. */
  #reportPoint: number | undefined = undefined;

  /** `orders` translates the position in the order of sending. */
  visitFields(codec: FieldCodec, orders: SendOrders): void {
    this.sentAt = codec.time("sentAt", this.sentAt);
    this.order = orders.visit(codec, "order", this.order);
    this.end = codec.int("end", this.end);
    this.rtt = codec.real("rtt", this.rtt);
    this.highest = optionalInt(codec, "highest", this.highest);
    this.reorderingSeen = codec.flag("reorderingSeen", this.reorderingSeen);
    this.#reoWndMult = codec.count("reoWndMult", this.#reoWndMult);
    this.#reoWndPersist = codec.count("reoWndPersist", this.#reoWndPersist);
    this.#reportPoint = optionalInt(codec, "reportPoint", this.#reportPoint);
  }

  /** RFC 8985 6.2 step 2: `range` has arrived. */
  delivered(range: SentRange, minRtt: number, now: number): void {
    const rtt = now - range.sentAt;
    // An acknowledgement that is too early for the retransmission belongs to the original.
    if (range.transmissions > 1 && rtt < minRtt) return;
    if (range.order > this.order || (range.order === this.order && seqGt(range.end, this.end))) {
      this.sentAt = range.sentAt;
      this.order = range.order;
      this.end = range.end;
      this.rtt = rtt;
    }
  }

  /** RFC 8985 6.2 step 4: a duplicate arrived, so the reordering window was too small. */
  noteDuplicate(sndUna: number, sndNxt: number): void {
    if (this.#reportPoint !== undefined && seqLt(sndUna, this.#reportPoint)) return;
    this.#reportPoint = sndNxt;
    this.reorderingSeen = true;
    this.#reoWndMult++;
    this.#reoWndPersist = REO_WND_PERSIST;
  }

  recoveryEnded(): void {
    if (this.#reoWndPersist > 0 && --this.#reoWndPersist === 0) this.#reoWndMult = 1;
  }

  get reoWndMult(): number {
    return this.#reoWndMult;
  }

  /** Detects reordering from a range that has arrived (RFC 8985 6.2 step 3). */
  noteOrder(range: SentRange): void {
    if (this.highest === undefined || seqGt(range.end, this.highest)) this.highest = range.end;
    else if (range.transmissions === 1) this.reorderingSeen = true;
  }
}
