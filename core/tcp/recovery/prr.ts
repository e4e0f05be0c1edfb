/**
 * Proportional Rate Reduction (RFC 9937): what is sent during fast recovery follows
 * what arrives, so that the window comes down to ssthresh without a pause and without a burst.
 *
 * @module
 */

/** The state of one recovery. Bytes. */
export class RateReduction {
  #flightAtLoss = 1;
  #delivered = 0;
  #sent = 0;

  /** Fast recovery begins with so much outstanding that may still arrive (RecoverFS). */
  begin(flightAtLoss: number): void {
    this.#flightAtLoss = Math.max(flightAtLoss, 1);
    this.#delivered = this.#sent = 0;
  }

  /** Something was sent. */
  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /**
   * The congestion window after an acknowledgement that delivered `bytes`. `progresses`: it
   * advanced SND.UNA and marked nothing new as lost, so that the reduction may be made up for.
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
    // The first retransmission goes in any case.
    return inFlight + Math.max(room, this.#sent > 0 ? 0 : mss);
  }
}
