/**
 * Invariants that hold for every connection after every step, for tests, simulation and fuzzing.
 *
 * @module
 */
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../wire/seq.ts";
import { ackNumber } from "./receive_window.ts";
import { STATES } from "./state.ts";
import type { Tcb } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";
import { isRunning, TIMER } from "./timers/timers.ts";

/** Describes the invariants that do not hold. */
export function brokenInvariants(tcb: Tcb): string[] {
  const broken: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) broken.push(what);
  };
  if (tcb.has(TCB.RELEASED) || tcb.state === "CLOSED") {
    expect(tcb.earliestTimer === Infinity, "an ended connection has no timer");
    expect(tcb.send.length === 0, "an ended connection holds nothing to send");
    return broken;
  }
  checkSending(tcb, expect);
  checkScoreboard(tcb, expect);
  if (STATES[tcb.state].synchronized) checkReceiving(tcb, expect);
  return broken;
}

type Expect = (holds: boolean, what: string) => void;

function checkSending(tcb: Tcb, expect: Expect): void {
  expect(seqLeq(tcb.sndUna, tcb.sndNxt), "SND.UNA <= SND.NXT");
  expect(tcb.unsent >= 0, "no more was sent than was written");
  expect(tcb.send.length <= tcb.send.limit, "the send buffer keeps its limit");
  expect(
    !tcb.has(TCB.FIN_SENT) || tcb.has(TCB.FIN_QUEUED),
    "a FIN is sent only when it was asked for",
  );
  const isClosing = !STATES[tcb.state].canSend || !STATES[tcb.state].synchronized;
  expect(!tcb.has(TCB.FIN_QUEUED) || isClosing, "a FIN that was asked for shows in the state");
  expect(tcb.sendMss > 0, "a segment has room for text");
  const needsTimer = !tcb.scoreboard.isEmpty && tcb.state !== "TIME-WAIT";
  const hasTimer = isRunning(tcb, TIMER.RETRANSMIT) || isRunning(tcb, TIMER.PERSIST);
  expect(!needsTimer || hasTimer || tcb.has(TCB.RESET_QUEUED), "what is outstanding has a timer");
}

function checkScoreboard(tcb: Tcb, expect: Expect): void {
  const { scoreboard } = tcb;
  let at = tcb.sndUna;
  let order = 0;
  const sums = { inFlight: 0, lost: 0, sacked: 0 };
  for (let i = 0; i < scoreboard.count; i++) {
    const range = scoreboard.at(i);
    expect(range.start === at, "sent ranges are in order and without gaps");
    expect(seqGt(range.end, range.start), "a sent range is not empty");
    expect(!(range.lost && range.sacked), "what the peer has is not lost");
    expect(
      range.order >= order,
      "nothing was sent before what lies in front of it and was sent once",
    );
    if (range.transmissions === 1) order = range.order;
    sums[range.sacked ? "sacked" : range.lost ? "lost" : "inFlight"] += range.length;
    at = range.end;
  }
  expect(scoreboard.isEmpty || at === tcb.sndNxt, "sent ranges end at SND.NXT");
  expect(scoreboard.inFlight === sums.inFlight, "bytes in flight are counted right");
  expect(scoreboard.lostBytes === sums.lost, "lost bytes are counted right");
  expect(scoreboard.sackedBytes === sums.sacked, "sacked bytes are counted right");
}

function checkReceiving(tcb: Tcb, expect: Expect): void {
  const { receive } = tcb;
  const fin = tcb.has(TCB.FIN_RECEIVED) ? 1 : 0;
  expect(
    ((receive.readSeq + receive.readable + fin) | 0) === tcb.rcvNxt,
    "RCV.NXT lies behind the last byte in order",
  );
  expect(seqLeq(tcb.rcvAcked, tcb.rcvNxt), "nothing is acknowledged that has not arrived");
  expect(seqLeq(ackNumber(tcb), tcb.rcvNxt), "nothing will be acknowledged that has not arrived");
  expect(seqLeq(tcb.rcvNxt, (tcb.rcvEdge + 1) | 0), "nothing was taken beyond the window");
  const slack = 1 << tcb.rcvWndShift;
  expect(
    seqDiff(tcb.rcvEdge, receive.readSeq) <= tcb.receiveLimit + slack,
    "the window is no larger than the buffer",
  );
  const outOfOrder = receive.outOfOrder;
  for (let i = 0; outOfOrder !== undefined && i < outOfOrder.count; i++) {
    expect(seqLt(outOfOrder.starts[i]!, outOfOrder.ends[i]!), "an out-of-order range is not empty");
    expect(seqGt(outOfOrder.starts[i]!, tcb.rcvNxt), "an out-of-order range lies behind a hole");
    expect(
      i === 0 || seqGt(outOfOrder.starts[i]!, outOfOrder.ends[i - 1]!),
      "out-of-order ranges are apart",
    );
    expect(seqGeq(tcb.rcvEdge, outOfOrder.ends[i]!), "nothing out of order lies beyond the window");
  }
}
