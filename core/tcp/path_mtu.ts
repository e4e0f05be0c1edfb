/**
 * Path MTU discovery (RFC 1191, RFC 8201) and other errors from the network (RFC 5461, RFC 5927).
 *
 * @module
 */
import type { IcmpMeaning } from "../wire/icmp.ts";
import { seqGeq, seqGt, seqLt } from "../wire/seq.ts";
import { endConnection } from "./end.ts";
import type { Tcb } from "./tcb.ts";

/** Smaller claims are not obeyed: RFC 1191's 68 would let anybody slow a connection down. */
const LEAST_MTU_V4 = 552;
const LEAST_MTU_V6 = 1280;
/** Timeouts in a row with not a word from the peer. */
const BLACK_HOLE_TIMEOUTS = 3;
/** What every IPv6 link carries, and nearly every IPv4 tunnel. */
const BLACK_HOLE_MTU = 1280;
/** RFC 1191 7.1: what to try when the router did not say. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, LEAST_MTU_V4];

/** An ICMP error about a segment of ours with sequence number `seq`; false: it cannot be. */
export function takeNetworkError(
  tcb: Tcb,
  meaning: IcmpMeaning,
  mtu: number,
  seq: number,
): boolean {
  // RFC 5927 4.1: somebody who guesses does not know what is outstanding.
  if (seqLt(seq, tcb.sndUna) || seqGt(seq, tcb.sndNxt)) return false;
  if (meaning === "packet-too-big") {
    shrinkPath(tcb, mtu);
  } else if (meaning === "source-quench" || meaning === "other") {
    return true;
  } else if (tcb.state !== "SYN-SENT") {
    // RFC 9293 3.9.2.2, MUST-56: a hint, which shows if the connection times out.
    tcb.softError = "UNREACHABLE";
  } else {
    const refused = meaning === "port-unreachable" || meaning === "protocol-unreachable";
    // RFC 5461 4: an attempt fails at once, an established connection goes on.
    endConnection(tcb, refused ? "CONNECTION_REFUSED" : "UNREACHABLE");
  }
  return true;
}

function shrinkPath(tcb: Tcb, mtu: number): void {
  const said = mtu > 0 ? mtu : PLATEAUS.find((plateau) => plateau < tcb.pathMtu) ?? 0;
  const least = tcb.local.isV4 ? LEAST_MTU_V4 : LEAST_MTU_V6;
  if (said < least || said >= tcb.pathMtu) return;
  tcb.pathMtu = said;
  tcb.updateSendMss();
  if (tcb.scoreboard.isEmpty || !tcb.synAcked) return;
  // RFC 1191 6.5: what was too big is sent again, and that is no sign of congestion.
  tcb.scoreboard.markAllLost();
  if (tcb.recovery === "none") tcb.recovery = "timeout";
  if (tcb.recovery !== "timeout" || seqGeq(tcb.sndNxt, tcb.recoveryPoint)) {
    tcb.recoveryPoint = tcb.sndNxt;
  }
  tcb.forced = "retransmit";
}

/**
 * RFC 8899 4.2: full segments vanish and nothing says why: a router may drop them without a word.
 */
export function suspectBlackHole(tcb: Tcb): void {
  if (tcb.timeoutsInARow < BLACK_HOLE_TIMEOUTS || tcb.scoreboard.isEmpty) return;
  if (tcb.scoreboard.at(0).length < tcb.sendMss) return;
  const least = tcb.local.isV4 ? LEAST_MTU_V4 : LEAST_MTU_V6;
  tcb.pathMtu = Math.min(tcb.pathMtu, tcb.pathMtu > BLACK_HOLE_MTU ? BLACK_HOLE_MTU : least);
  tcb.timeoutsInARow = 0;
  tcb.updateSendMss();
}
