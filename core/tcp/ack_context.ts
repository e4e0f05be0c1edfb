/**
 * The findings about one acknowledgement, collected while it is processed and read by loss recovery
 * and congestion control.
 *
 * @module
 */
import { ownLoss } from "./recovery/loss_state.ts";
import { Rack } from "./recovery/rack.ts";
import type { DeliveryVisitor, SentRange } from "./recovery/scoreboard.ts";
import type { Tcb } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";

export class AckContext implements DeliveryVisitor {
  /** Sequence numbers acknowledged for the first time. */
  acked = 0;
  /** Bytes acknowledged or sacked for the first time. */
  delivered = 0;
  /** All that was sent is acknowledged. */
  coversAll = false;
  /** It only repeats what was said before (RFC 5681 2). */
  isDuplicate = false;
  /** The peer reports that it got something twice (RFC 2883). */
  reportsDuplicate = false;
  /** How much of it (RFC 2883). */
  duplicateBytes = 0;
  /** Something that counted as lost has arrived without having been sent again. */
  originalArrived = false;
  /** The peer met congestion (RFC 3168 6.1.2). */
  congestionEcho = false;
  #rttSample = -1;
  #sentAgain = false;
  #tcb: Tcb | undefined;
  #now = 0;

  /** Starts a new acknowledgement. */
  begin(tcb: Tcb, now: number): void {
    this.#tcb = tcb;
    this.#now = now;
    this.acked = this.delivered = this.duplicateBytes = 0;
    this.coversAll =
      this.isDuplicate =
      this.reportsDuplicate =
      this.originalArrived =
      this.congestionEcho =
        false;
    this.#rttSample = -1;
    this.#sentAgain = false;
    tcb.rate?.begin();
  }

  /** The acknowledgement is processed. */
  end(): void {
    this.#tcb = undefined;
  }

  arrived(range: SentRange): void {
    const tcb = this.#tcb!;
    if (range.transmissions > 1) this.#sentAgain = true;
    else {
      this.#rttSample = this.#now - range.sentAt;
      if (range.lost) this.originalArrived = true;
    }
    if (range.length >= tcb.sendMss) tcb.set(TCB.FULL_SEGMENT_ACKED);
    this.#noteDelivery(tcb, range);
    tcb.rate?.arrived(range, this.#now);
  }

  #noteDelivery(tcb: Tcb, range: SentRange): void {
    // Where everything has arrived there is nothing left that could be lost or overtaken.
    if (tcb.loss.rack === undefined && this.coversAll) return;
    const rack = tcb.loss.rack ?? (ownLoss(tcb).rack = new Rack());
    rack.noteOrder(range);
    rack.delivered(range, tcb.minRtt, this.#now);
  }

  /**
   * Milliseconds, -1: none. Karn (RFC 6298 3): a segment that was sent twice gives no sample, nor
   * does one behind it, whose acknowledgement has waited for that.
   */
  get rttSample(): number {
    return this.#sentAgain ? -1 : this.#rttSample;
  }
}

/** One object serves every connection, one acknowledgement after the other. */
export const ACK_CONTEXT: AckContext = new AckContext();
