/**
 * Negotiation of options by the two SYNs (RFC 9293 3.7.1, RFC 7323 2.2 and 3.2, RFC 2018 2).
 *
 * @module
 */
import type { Segment } from "../wire/tcp.ts";
import { windowShift } from "./receive_window.ts";
import type { Tcb } from "./tcb.ts";
import { SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALING } from "./tcb_flags.ts";
import { wholeMs } from "./timers/timers.ts";

/** RFC 7323 2.3: larger shift counts are treated as 14. */
const MAX_SHIFT = 14;

/**
 * Processes the options of the peer's SYN or SYN,ACK: an option is in use if both sides sent it.
 */
export function takeSynOptions(tcb: Tcb, segment: Segment, now: number): void {
  tcb.takePeerMss(segment.mss);
  const scaling = tcb.config.windowScaling && segment.windowScale >= 0;
  tcb.set(WINDOW_SCALING, scaling);
  tcb.sndWndShift = scaling ? Math.min(segment.windowScale, MAX_SHIFT) : 0;
  tcb.rcvWndShift = scaling ? windowShift(tcb.receiveMost) : 0;
  tcb.receiveLimit = Math.min(tcb.receiveLimit, tcb.receiveMost);
  tcb.set(SACK_PERMITTED, tcb.config.sack && segment.sackPermitted);
  tcb.set(TIMESTAMPS, tcb.config.timestamps && segment.hasTimestamps);
  if (tcb.has(TIMESTAMPS)) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = wholeMs(now);
  }
  tcb.updateSendMss();
}
