/**
 * Path MTU discovery (RFC 1191, RFC 8201) and other errors from the network (RFC 5461, RFC 5927).
 *
 * @module
 */
import type { IcmpMeaning } from "../wire/icmp.ts";
import { seqGeq, seqLt } from "../wire/seq.ts";
import { endConnection } from "./close_connection.ts";
import { forceSegment } from "./forced_segment.ts";
import { ownProbes } from "./probes.ts";
import { ownLoss } from "./recovery/loss_state.ts";
import type { Tcb } from "./tcb.ts";
import { FULL_SEGMENT_ACKED, SYN_ACKED } from "./tcb_flags.ts";

/**
 * Smaller values are ignored: with RFC 1191's minimum of 68, a forged ICMP error could slow a
 * connection down.
 */
const MIN_MTU_V4 = 552;
const MIN_MTU_V6 = 1280;
/** Consecutive timeouts without a segment from the peer before a black hole is suspected. */
const BLACK_HOLE_TIMEOUTS = 3;
/**
 * The same if the peer still answers or full segments have been acknowledged, since packet loss is
 * then more likely.
 */
const LIKELY_LOSS_TIMEOUTS = 6;
/** Time after which the larger MTU is tried again (RFC 8899 5.1.1, PMTU_RAISE_TIMER). */
const RAISE_MS = 600_000;
/** The minimum MTU of IPv6 links (RFC 8200 5); nearly every IPv4 tunnel carries it too. */
const BLACK_HOLE_MTU = 1280;
/** MTUs to try if a router reports none (RFC 1191 7.1). */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, MIN_MTU_V4];

/** Processes an ICMP error about a sent segment; returns false if `seq` is not outstanding. */
export function takeNetworkError(
  tcb: Tcb,
  meaning: IcmpMeaning,
  mtu: number,
  seq: number,
): boolean {
  // RFC 5927 4.1: an attacker does not know which sequence numbers are outstanding. SND.NXT itself
  // is not.
  if (seqLt(seq, tcb.sndUna) || seqGeq(seq, tcb.sndNxt)) return false;
  if (meaning === "packet-too-big") {
    shrinkPath(tcb, mtu);
  } else if (meaning === "source-quench" || meaning === "other") {
    return true;
  } else if (tcb.state !== "SYN-SENT") {
    // RFC 9293 3.9.2.2, MUST-56: a soft error, reported if the connection times out.
    tcb.softError = "UNREACHABLE";
  } else {
    const refused = meaning === "port-unreachable" || meaning === "protocol-unreachable";
    // RFC 5461 4: an attempt fails at once, an established connection continues.
    endConnection(tcb, refused ? "CONNECTION_REFUSED" : "UNREACHABLE");
  }
  return true;
}

function shrinkPath(tcb: Tcb, mtu: number): void {
  const reported = mtu > 0 ? mtu : PLATEAUS.find((plateau) => plateau < tcb.pathMtu) ?? 0;
  if (reported < minMtu(tcb) || reported >= tcb.pathMtu) return;
  // The router's value replaces the MTU assumed for a black hole.
  forgetLargerMtu(tcb);
  changePath(tcb, reported);
  if (tcb.scoreboard.isEmpty || !tcb.has(SYN_ACKED)) return;
  // RFC 1191 6.4: the data is retransmitted, which is not a sign of congestion.
  tcb.scoreboard.markAllLost();
  const loss = ownLoss(tcb);
  if (loss.phase === "open") loss.phase = "timeout";
  if (loss.phase !== "timeout" || seqGeq(tcb.sndNxt, loss.point)) loss.point = tcb.sndNxt;
  forceSegment(tcb, "retransmission");
}

/**
 * RFC 8899 4.3: a router may drop full segments without an ICMP error. If smaller segments are lost
 * too, the size is not the cause.
 */
export function suspectBlackHole(tcb: Tcb, now: number): void {
  // A segment from the peer may answer a small segment, so it does not prove that full ones arrive.
  const loss = ownLoss(tcb);
  const isLossLikely = tcb.has(FULL_SEGMENT_ACKED) || tcb.lastReceivedAt >= loss.timedOutAt;
  const least = isLossLikely ? LIKELY_LOSS_TIMEOUTS : BLACK_HOLE_TIMEOUTS;
  if (loss.timeouts < least || tcb.scoreboard.isEmpty) return;
  if (tcb.scoreboard.at(0).length < Math.min(tcb.sendMss, BLACK_HOLE_MTU / 2)) return;
  loss.timeouts = 0;
  const probes = ownProbes(tcb);
  if (probes.raiseMtuAt === Infinity) probes.raiseMtuTo = tcb.pathMtu;
  probes.raiseMtuAt = now + RAISE_MS;
  const smaller = tcb.pathMtu > BLACK_HOLE_MTU ? BLACK_HOLE_MTU : minMtu(tcb);
  if (smaller < tcb.pathMtu) changePath(tcb, smaller);
  else raisePath(tcb);
}

/** After a while, the larger size is tried again. */
export function raisePathIfDue(tcb: Tcb, now: number): void {
  if (now >= tcb.probes.raiseMtuAt) raisePath(tcb);
}

function raisePath(tcb: Tcb): void {
  const { raiseMtuAt, raiseMtuTo } = tcb.probes;
  if (raiseMtuAt === Infinity) return;
  forgetLargerMtu(tcb);
  changePath(tcb, raiseMtuTo);
}

function forgetLargerMtu(tcb: Tcb): void {
  if (tcb.probes.raiseMtuAt !== Infinity) ownProbes(tcb).raiseMtuAt = Infinity;
}

function changePath(tcb: Tcb, mtu: number): void {
  tcb.pathMtu = mtu;
  tcb.clear(FULL_SEGMENT_ACKED);
  tcb.updateSendMss();
}

function minMtu(tcb: Tcb): number {
  return tcb.local.isV4 ? MIN_MTU_V4 : MIN_MTU_V6;
}
