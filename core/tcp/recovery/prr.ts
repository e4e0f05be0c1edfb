/**
 * Proportional rate reduction (RFC 9937): during fast recovery, data is sent in proportion to
 * delivered data, so that the window reaches ssthresh without a pause or a burst.
 *
 * @module
 */

import type { FieldCodec } from "../frozen/field_codec.ts";

/** State of one recovery, in bytes. */
export class RateReduction {
  #flightAtLoss = 1;
  #delivered = 0;
  #sent = 0;

  visitFields(codec: FieldCodec): void {
    this.#flightAtLoss = codec.count("flightAtLoss", this.#flightAtLoss);
    this.#delivered = codec.count("delivered", this.#delivered);
    this.#sent = codec.count("sent", this.#sent);
  }

  /** Fast recovery begins; `flightAtLoss` is RecoverFS. */
  begin(flightAtLoss: number): void {
    this.#flightAtLoss = Math.max(flightAtLoss, 1);
    this.#delivered = this.#sent = 0;
  }

  /** `bytes` were sent. */
  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /**
   * Returns the congestion window after an acknowledgement that delivered `bytes`. `progresses`:
   * the acknowledgement advanced SND.UNA and revealed no further loss, so the window may grow to
   * ssthresh.
   */
  window(
    bytes: number,
    inFlight: number,
    ssthresh: number,
    mss: number,
    progresses: boolean,
  ): number {
    this.#delivered += bytes;
    let room: number;
    if (inFlight > ssthresh) {
      room = Math.ceil(this.#delivered * ssthresh / this.#flightAtLoss) - this.#sent;
    } else {
      const conserved = Math.max(this.#delivered - this.#sent, bytes);
      room = Math.min(ssthresh - inFlight, progresses ? conserved + mss : conserved);
    }
    // The first retransmission is always allowed.
    return inFlight + Math.max(room, this.#sent > 0 ? 0 : mss);
  }
}
