import { describe, expect, test } from "bun:test";
import { TCB_EVENT } from "../../../core/tcp/tcb.ts";
import {
  inCloseWait,
  inClosing,
  inEstablished,
  inFinWait1,
  inFinWait2,
  inLastAck,
  inSynReceived,
  inSynSent,
  inTimeWait,
} from "../../support/dsl/builders.ts";
import type { Trace } from "../../support/dsl/trace.ts";

for (const profile of ["local", "internet"] as const) {
  describe(`in profile ${profile}`, () => inBothProfiles(profile));
}

function inBothProfiles(profile: "local" | "internet"): void {
  // Nothing was sent that the peer could know of but a SYN: the attempt just ends.
  test("close ends SYN-SENT without a word (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.close();
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("CONNECTION_ABORTED");
    t.recvNothing();
  });

  // The FIN waits until the handshake is through.
  test("closeWrite in SYN-SENT is queued (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.closeWrite();
    t.recvNothing();
    t.send({ flags: "S.", options: { mss: 1000 } });
    t.recv({ flags: "F.", seq: 1, ack: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // What was written before there was a connection is still delivered.
  test("close in SYN-SENT with text waits for the connection (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.write(10);
    t.close();
    t.recvNothing();
    t.send({ flags: "S.", options: { mss: 1000 } });
    t.recv({ flags: "FP.", seq: 1, length: 10, ack: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // Likewise on the passive side.
  test("closeWrite in SYN-RECEIVED is queued (RFC 9293 3.10.4)", () => {
    const t = inSynReceived({ profile });
    t.closeWrite();
    t.recvNothing();
    expect(t.state).toBe("SYN-RECEIVED");
    t.send();
    t.recv({ flags: "F.", seq: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // What was written goes out in front of the FIN, which rides on the last segment.
  test("closeWrite sends what was written and then FIN (RFC 9293 3.6)", () => {
    const t = inEstablished({ profile });
    t.write(1500);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 500 });
    t.closeWrite();
    t.recv({ flags: "F." });
    expect(t.write(10)).toBe(0);
    t.recvNothing();
  });

  // A window that is full holds the rest back, and the FIN with it.
  test("closeWrite keeps the FIN behind text that does not fit (RFC 9293 3.6)", () => {
    const t = inEstablished({ profile, window: 1000 });
    t.write(1500);
    t.closeWrite();
    t.recv({ length: 1000 });
    t.recvNothing();
    t.send({ ack: 1001 });
    t.recv({ flags: "FP.", length: 500 });
  });

  // A second call changes nothing.
  test.each(["FIN-WAIT-1", "FIN-WAIT-2"] as const)(
    "closeWrite in %s does nothing (RFC 9293 3.10.4)",
    (state) => {
      const t = state === "FIN-WAIT-1" ? inFinWait1({ profile }) : inFinWait2({ profile });
      t.closeWrite();
      t.recvNothing();
      expect(t.state).toBe(state);
    },
  );

  // In the half-closed connection the peer's text still arrives.
  test("FIN-WAIT-2 still receives (RFC 9293 3.6)", () => {
    const t = inFinWait2({ profile, tcp: { delayedAckMs: 0 } });
    t.send({ data: 300 });
    if (profile === "internet") t.recv({ seq: 2, ack: 301 });
    expect(t.read()).toBe(300);
    if (profile === "local") t.recv({ seq: 2, ack: 301 });
    t.recvNothing();
  });

  // Text that comes in one segment with the FIN, and text that comes after it, which is nonsense.
  test("CLOSE-WAIT takes no text behind the FIN (RFC 9293 3.10.7.4)", () => {
    const t = inCloseWait({ profile });
    t.send({ seq: 2, data: 10 });
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-closed-text")).toBe(1);
    expect(t.state).toBe("CLOSE-WAIT");
  });

  // The other half goes on.
  test("CLOSE-WAIT still sends (RFC 9293 3.6)", () => {
    const t = inCloseWait({ profile });
    t.write(10);
    t.recv({ flags: "P.", length: 10 });
    t.send({ ack: 11 });
    expect(t.state).toBe("CLOSE-WAIT");
    t.recvNothing();
  });

  // abort() tells the peer at once, from every state in which the peer knows of the connection.
  test.each(
    [
      ["SYN-RECEIVED", inSynReceived],
      ["ESTABLISHED", inEstablished],
      ["FIN-WAIT-1", inFinWait1],
      ["FIN-WAIT-2", inFinWait2],
      ["CLOSE-WAIT", inCloseWait],
      ["CLOSING", inClosing],
    ] as const,
  )("abort resets %s (RFC 9293 3.10.5)", (state, build) => {
    const t = build({ profile });
    expect(t.state).toBe(state);
    t.abort();
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("CONNECTION_ABORTED");
    expect(t.isForgotten).toBe(true);
    expect(t.wire.stack.tcp.timerCount).toBe(0);
  });

  // Nothing is told where nothing is known.
  test("abort ends SYN-SENT without a word (RFC 9293 3.10.5)", () => {
    const t = inSynSent({ profile });
    t.abort();
    t.recvNothing();
    expect(t.tcb.error).toBe("CONNECTION_ABORTED");
  });
}

describe("close in profile local", () => {
  /** The peer, which has all there was for it, closes as well. */
  function peerCloses(t: Trace, ack = 2): void {
    expect(t.state).toBe("FIN-WAIT-2");
    expect(t.takeEvents() & TCB_EVENT.ENDED).toBe(TCB_EVENT.ENDED);
    t.recvNothing();
    t.send({ flags: "F." });
    t.recv({ ack });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
    expect(t.tcb.error).toBe(undefined);
  }

  // Data still to send: as closeWrite(). A RST after the last ACK would be EPIPE to a client that
  // looks at its connection late: it comes when the peer has closed.
  test("close in ESTABLISHED waits for the peer's FIN (RFC 9293 3.10.4)", () => {
    const t = inEstablished();
    t.write(2000);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    t.close();
    t.recv({ flags: "F." });
    expect(t.state).toBe("FIN-WAIT-1");
    t.send({ ack: 1001 });
    t.recvNothing();
    t.send({ ack: 2002 });
    peerCloses(t);
  });

  // closeWrite() was there before: nothing changes for the peer.
  test("close in FIN-WAIT-1 and FIN-WAIT-2 waits for the peer's FIN (RFC 9293 3.10.4)", () => {
    const closing = inFinWait1();
    closing.close();
    closing.recvNothing();
    closing.send({ ack: 2 });
    peerCloses(closing);

    const t = inFinWait2();
    t.close();
    peerCloses(t);
  });

  // The FIN may come with the ACK of ours: it is acknowledged before the RST all the same.
  test("close acknowledges a FIN that acknowledges its own (RFC 9293 3.10.4)", () => {
    const t = inFinWait1();
    t.close();
    t.send({ flags: "F.", ack: 2 });
    t.recv({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
  });

  // The peer never closes: after two MSL it is forgotten without a word.
  test("close in FIN-WAIT-2 ends after a while (RFC 9293 3.6)", () => {
    const t = inFinWait2();
    t.wire.restartClock();
    t.close();
    t.at(59_999);
    expect(t.isForgotten).toBe(false);
    t.at(60_001);
    expect(t.isForgotten).toBe(true);
    expect(t.tcb.error).toBe(undefined);
    t.recvNothing();
  });

  // It goes on sending to somebody who has gone: now it has to know.
  test("close in FIN-WAIT-2 resets a peer that goes on sending (RFC 9293 3.6.1)", () => {
    const t = inFinWait2();
    t.close();
    t.send({ data: 100 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // The stack ends: who looks at its connection afterwards finds no error either.
  test("close in FIN-WAIT-2 ends with the stack without a word (RFC 9293 3.10.5)", () => {
    const t = inFinWait2();
    t.close();
    t.wire.step((stack) => stack.shutDown());
    t.recvNothing();
    expect(t.state).toBe("CLOSED");
  });

  // Last words are no reason: the peer has said that it closes.
  test("close in FIN-WAIT-2 acknowledges text with the FIN (RFC 9293 3.6)", () => {
    const t = inFinWait2();
    t.close();
    t.send({ flags: "F.", data: 100 });
    t.recv({ ack: 102 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // Nobody owns them any more: their number is bounded as that of TIME-WAIT is, the oldest goes.
  test("close in FIN-WAIT-2 is bounded in number (RFC 9293 3.6.1)", () => {
    const t = inFinWait2({ maxTimeWait: 1 });
    t.close();
    expect(t.isForgotten).toBe(false);
    const other = t.other({ remotePort: 40_002 });
    other.send({ flags: "S", options: { mss: 1000 } });
    other.recv({ flags: "S.", ack: 1 });
    other.send();
    other.close();
    other.recv({ flags: "F." });
    other.send({ ack: 2 });
    expect(t.isForgotten).toBe(true);
    expect(other.isForgotten).toBe(false);
  });

  // Only the ACK of the FIN is missing, and the peer has closed already.
  test("close in CLOSING resets after the ACK (RFC 9293 3.10.4)", () => {
    const t = inClosing();
    t.close();
    t.recvNothing();
    t.send({ ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // Bytes that nobody will read are acknowledged, else the peer would never get on to the FIN.
  test("close acknowledges unread text and what comes later (RFC 9293 3.6)", () => {
    const t = inEstablished();
    t.send({ data: 700 });
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 701 });
    t.send({ ack: 1, data: 500 });
    t.recv({ ack: 1201 });
    t.send({ ack: 2 });
    peerCloses(t, 1202);
  });

  // A peer that closed at the same time: its FIN is acknowledged, the RST comes after our FIN's ACK.
  test("close crosses the peer's FIN (RFC 9293 3.6)", () => {
    const t = inEstablished();
    t.close();
    t.recv({ flags: "F." });
    t.send({ flags: "F.", ack: 1 });
    t.recv({ ack: 2 });
    expect(t.state).toBe("CLOSING");
    t.send({ ack: 2 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // close() while the SYN,ACK is on its way: the connection opens first, then it ends.
  test("close in SYN-RECEIVED is queued (RFC 9293 3.10.4)", () => {
    const t = inSynReceived();
    t.close();
    t.recvNothing();
    t.send();
    t.recv({ flags: "F.", seq: 1 });
    t.send({ ack: 2 });
    peerCloses(t);
  });
});

describe("close in profile internet", () => {
  // FIN, ACK, FIN, ACK, and two maximum segment lifetimes.
  test("close in ESTABLISHED ends in TIME-WAIT (RFC 9293 3.6)", () => {
    const t = inEstablished({ profile: "internet" });
    t.close();
    t.recv({ flags: "F." });
    t.send({ ack: 2 });
    expect(t.state).toBe("FIN-WAIT-2");
    t.send({ at: 1000, flags: "F." });
    t.recv({ ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
    t.at(60_999);
    expect(t.state).toBe("TIME-WAIT");
    t.at(61_001);
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
    expect(t.tcb.error).toBe(undefined);
  });

  // close() before the handshake is through, and close() behind closeWrite().
  test("close in SYN-RECEIVED and FIN-WAIT-1 leads to FIN-WAIT-2 (RFC 9293 3.10.4)", () => {
    const early = inSynReceived({ profile: "internet" });
    early.close();
    early.recvNothing();
    early.send();
    early.recv({ flags: "F.", seq: 1 });
    const late = inFinWait1({ profile: "internet" });
    late.close();
    late.recvNothing();
    for (const t of [early, late]) {
      t.send({ ack: 2 });
      expect(t.state).toBe("FIN-WAIT-2");
      t.send({ flags: "F." });
      t.recv({ ack: 2 });
      expect(t.state).toBe("TIME-WAIT");
    }
  });

  // RFC 2525 2.17: bytes that were not read are lost, and the peer must learn of that.
  test("close with unread text resets (RFC 9293 3.6.1)", () => {
    const t = inEstablished({ profile: "internet", tcp: { delayedAckMs: 0 } });
    t.send({ data: 10 });
    t.recv({ ack: 11 });
    t.close();
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // The same for text that comes after close().
  test("text for a connection that was closed is answered with RST (RFC 9293 3.6.1)", () => {
    const t = inEstablished({ profile: "internet" });
    t.close();
    t.recv({ flags: "F." });
    t.send({ ack: 2, data: 10 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // LAST-ACK is over with the ACK of the FIN; there is nothing to wait for.
  test("close in CLOSE-WAIT goes through LAST-ACK (RFC 9293 3.6)", () => {
    const t = inCloseWait({ profile: "internet" });
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 2 });
    expect(t.state).toBe("LAST-ACK");
    t.send({ ack: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
    t.recvNothing();
  });

  // closeWrite() or close() again is harmless in the states behind the FIN.
  test("close in LAST-ACK, CLOSING and TIME-WAIT sends nothing (RFC 9293 3.10.4)", () => {
    for (const t of [inLastAck(), inClosing({ profile: "internet" }), inTimeWait()]) {
      const { state } = t;
      t.closeWrite();
      t.close();
      t.recvNothing();
      expect(t.state).toBe(state);
    }
  });

  // Both FINs crossed: the ACK of ours leads to TIME-WAIT.
  test("CLOSING becomes TIME-WAIT by the ACK of the FIN (RFC 9293 3.10.7.4)", () => {
    const t = inClosing({ profile: "internet" });
    t.send({ ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
    t.recvNothing();
  });

  // FIN-WAIT-1 can get both at once.
  test("FIN-WAIT-1 becomes TIME-WAIT by a FIN that acknowledges (RFC 9293 3.10.7.4)", () => {
    const t = inFinWait1({ profile: "internet" });
    t.send({ flags: "F.", ack: 2 });
    t.recv({ ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
  });

  // A peer that never says FIN does not keep a connection that the application has closed.
  test("FIN-WAIT-2 of a closed connection ends after a while (RFC 9293 3.6)", () => {
    const t = inFinWait2({ profile: "internet" });
    t.close();
    t.at(60_100);
    expect(t.state).toBe("CLOSED");
    t.recvNothing();
  });
});
