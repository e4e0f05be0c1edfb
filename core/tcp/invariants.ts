/**
 * Invariants that hold for every connection after every step, for tests, simulation and fuzzing.
 *
 * @module
 */
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../wire/seq.ts";
import { ackNumber } from "./receive_window.ts";
import { STATES } from "./state.ts";
import type { Tcb } from "./tcb.ts";
import { FIN_QUEUED, FIN_RECEIVED, FIN_SENT, RELEASED, RESET_QUEUED } from "./tcb_flags.ts";
import { isRunning, TIMER } from "./timers/timers.ts";

/** Describes the invariants that do not hold. */
export function brokenInvariants(tcb: Tcb): string[] {
  const broken: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) broken.push(what);
  };
  if (tcb.has(RELEASED) || tcb.state === "CLOSED") {
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
  expect(tcb.unsent >= 0, "only written data is sent");
  expect(tcb.send.length <= tcb.send.limit, "the send buffer is within its limit");
  expect(
    !tcb.has(FIN_SENT) || tcb.has(FIN_QUEUED),
    "a FIN is sent only if it is queued",
  );
  const isClosing = !STATES[tcb.state].canSend || !STATES[tcb.state].synchronized;
  expect(!tcb.has(FIN_QUEUED) || isClosing, "a queued FIN is reflected in the state");
  expect(tcb.sendMss > 0, "a segment has room for text");
  const needsTimer = !tcb.scoreboard.isEmpty && tcb.state !== "TIME-WAIT";
  const hasTimer = isRunning(tcb, TIMER.RETRANSMIT) || isRunning(tcb, TIMER.PERSIST);
  expect(!needsTimer || hasTimer || tcb.has(RESET_QUEUED), "outstanding data has a timer");
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
    expect(!(range.lost && range.sacked), "a sacked range is not marked lost");
    expect(
      range.order >= order,
      "a range was sent after the ranges below it that were sent once",
    );
    if (range.transmissions === 1) order = range.order;
    sums[range.sacked ? "sacked" : range.lost ? "lost" : "inFlight"] += range.length;
    at = range.end;
  }
  expect(scoreboard.isEmpty || at === tcb.sndNxt, "sent ranges end at SND.NXT");
  expect(scoreboard.inFlight === sums.inFlight, "the count of bytes in flight is correct");
  expect(scoreboard.lostBytes === sums.lost, "the count of lost bytes is correct");
  expect(scoreboard.sackedBytes === sums.sacked, "the count of sacked bytes is correct");
}

function checkReceiving(tcb: Tcb, expect: Expect): void {
  const { receive } = tcb;
  const fin = tcb.has(FIN_RECEIVED) ? 1 : 0;
  expect(
    ((receive.readSeq + receive.readable + fin) | 0) === tcb.rcvNxt,
    "RCV.NXT follows the last in-order byte",
  );
  expect(seqLeq(tcb.rcvAcked, tcb.rcvNxt), "only received data was acknowledged");
  expect(seqLeq(ackNumber(tcb), tcb.rcvNxt), "only received data will be acknowledged");
  expect(seqLeq(tcb.rcvNxt, (tcb.rcvEdge + 1) | 0), "no data beyond the window was accepted");
  const slack = 1 << tcb.rcvWndShift;
  expect(
    seqDiff(tcb.rcvEdge, receive.readSeq) <= tcb.receiveLimit + slack,
    "the window is no larger than the buffer",
  );
  const outOfOrder = receive.outOfOrder;
  for (let i = 0; outOfOrder !== undefined && i < outOfOrder.count; i++) {
    expect(seqLt(outOfOrder.starts[i]!, outOfOrder.ends[i]!), "an out-of-order range is not empty");
    expect(seqGt(outOfOrder.starts[i]!, tcb.rcvNxt), "an out-of-order range follows a hole");
    expect(
      i === 0 || seqGt(outOfOrder.starts[i]!, outOfOrder.ends[i - 1]!),
      "out-of-order ranges do not touch",
    );
    expect(seqGeq(tcb.rcvEdge, outOfOrder.ends[i]!), "out-of-order data is within the window");
  }
}
