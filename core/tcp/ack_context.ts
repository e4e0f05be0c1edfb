/**
 * Facts about one acknowledgement, collected while it is processed, for loss recovery and congestion control.
 *
 * @module
 */
import { ownLoss } from "./recovery/loss_state.ts";
import { Rack } from "./recovery/rack.ts";
import { minRttMs } from "./recovery/rtt.ts";
import type { DeliveryVisitor, SentRange } from "./recovery/scoreboard.ts";
import type { Tcb } from "./tcb.ts";
import { FULL_SEGMENT_ACKED } from "./tcb_flags.ts";

export class AckContext implements DeliveryVisitor {
  /** Newly acknowledged sequence numbers. */
  acked = 0;
  /** Newly acknowledged or sacked bytes. */
  delivered = 0;
  /** SEG.ACK = SND.NXT. */
  coversAll = false;
  /** A duplicate acknowledgement (RFC 5681 2). */
  isDuplicate = false;
  /** The acknowledgement has a D-SACK block (RFC 2883). */
  reportsDuplicate = false;
  /** Bytes of the D-SACK block that recovery has retransmitted. */
  duplicateBytes = 0;
  /** A range that was marked lost arrived without a retransmission. */
  originalArrived = false;
  /** ECE: the peer received a packet with CE (RFC 3168 6.1.2). */
  congestionEcho = false;
  #rttSample = -1;
  #hasRetransmitted = false;
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
    this.#hasRetransmitted = false;
    tcb.rate?.begin();
  }

  /** Ends the acknowledgement. */
  end(): void {
    this.#tcb = undefined;
  }

  arrived(range: SentRange): void {
    const tcb = this.#tcb!;
    if (range.transmissions > 1) this.#hasRetransmitted = true;
    else {
      this.#rttSample = this.#now - range.sentAt;
      if (range.lost) this.originalArrived = true;
    }
    if (range.length >= tcb.sendMss) tcb.set(FULL_SEGMENT_ACKED);
    this.#noteDelivery(tcb, range);
    tcb.rate?.arrived(range, this.#now);
  }

  #noteDelivery(tcb: Tcb, range: SentRange): void {
    // If everything has arrived, nothing can be lost or reordered.
    if (tcb.loss.rack === undefined && this.coversAll) return;
    const rack = tcb.loss.rack ?? (ownLoss(tcb).rack = new Rack());
    rack.noteOrder(range);
    rack.delivered(range, minRttMs(tcb), this.#now);
  }

  /**
   * Round-trip time in milliseconds; -1: none. By Karn's algorithm (RFC 6298 3), there is no sample
   * if a retransmitted range is acknowledged, nor from the ranges after it, whose acknowledgement
   * it has delayed.
   */
  get rttSample(): number {
    return this.#hasRetransmitted ? -1 : this.#rttSample;
  }
}

/** One object serves every connection, one acknowledgement after the other. */
export const ACK_CONTEXT: AckContext = new AckContext();
