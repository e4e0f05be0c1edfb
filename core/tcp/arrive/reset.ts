import { seqGeq } from "../../wire/seq.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { endConnection } from "../close_connection.ts";
import type { Tcb } from "../tcb.ts";
import { FIN_SENT, PASSIVE } from "../tcb_flags.ts";
import { challengeAck } from "./challenge.ts";
import type { Verdict } from "./check.ts";
import { isBeyondWindow } from "./sequence.ts";

/** Second, RST (RFC 9293 3.10.7.4, RFC 5961 3.2). */
export function checkReset(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (!segment.has(FLAG.RST)) return undefined;
  // RFC 1337 3: a RST does not end TIME-WAIT.
  if (tcb.state === "TIME-WAIT") return "tcp-rst-sequence";
  // The peer knows RCV.NXT only from the last acknowledgement it received.
  if (segment.seq === tcb.rcvNxt || segment.seq === tcb.rcvAcked) {
    resetByPeer(tcb, segment);
    return "taken";
  }
  if (seqGeq(segment.seq, tcb.rcvAcked) && !isBeyondWindow(tcb, segment.seq)) {
    challengeAck(tcb, now);
  }
  return "tcp-rst-sequence";
}

function resetByPeer(tcb: Tcb, segment: Segment): void {
  if (tcb.state === "SYN-RECEIVED" && !tcb.has(PASSIVE)) {
    // RFC 9293 3.5: a refused simultaneous open.
    endConnection(tcb, "CONNECTION_REFUSED");
    return;
  }
  endConnection(tcb, hasEndedWell(tcb, segment) ? undefined : "CONNECTION_RESET");
}

/**
 * RFC 9293 3.10.7.4, second: in CLOSING and LAST-ACK a RST is not an error, because both sides have
 * sent everything and the last ACK may have been lost, unless the RST itself shows that data is
 * missing. In CLOSE-WAIT, the application may still write and has to learn that the connection was
 * reset.
 */
function hasEndedWell(tcb: Tcb, segment: Segment): boolean {
  if (tcb.state !== "CLOSING" && tcb.state !== "LAST-ACK") return false;
  if (tcb.send.length === 0) return true;
  return tcb.has(FIN_SENT) && (!segment.has(FLAG.ACK) || segment.ack === tcb.sndNxt);
}
