/**
 * Probes of a silent peer, a closed window and the path's MTU.
 *
 * @module
 */

/** The state of probes. All connections share {@link NO_PROBES} until they send one. */
export class Probes {
  /** Keep-alive probes without an answer (RFC 9293 3.8.4). */
  keepAlives = 0;
  /** Window probes since the window closed; each doubles the interval (RFC 9293 3.8.6.1). */
  persistBackoff = 0;
  /** When the larger MTU is tried again, `Infinity`: never (RFC 8899 5.1.1, PMTU_RAISE_TIMER). */
  raiseMtuAt: number = Infinity;
  raiseMtuTo = 0;
}

/** The record of connections without probes. */
export const NO_PROBES: Readonly<Probes> = Object.freeze(new Probes());

/** The connection's own record, for writing. */
export function ownProbes(tcb: { probes: Readonly<Probes> }): Probes {
  if (tcb.probes === NO_PROBES) tcb.probes = new Probes();
  return tcb.probes as Probes;
}

/** The window has opened, or a probe's byte was accepted: the next interval is the RTO. */
export function resetPersistBackoff(tcb: { probes: Readonly<Probes> }): void {
  if (tcb.probes.persistBackoff > 0) ownProbes(tcb).persistBackoff = 0;
}
