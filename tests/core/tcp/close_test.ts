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
  // The peer has seen only a SYN, so the attempt just ends.
  test("close ends SYN-SENT silently (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.close();
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("CONNECTION_ABORTED");
    t.recvNothing();
  });

  // The FIN waits until the handshake is complete.
  test("closeWrite in SYN-SENT is queued (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.closeWrite();
    t.recvNothing();
    t.send({ flags: "S.", options: { mss: 1000 } });
    t.recv({ flags: "F.", seq: 1, ack: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // Text written before the handshake completes is still delivered.
  test("close in SYN-SENT with text waits for the connection (RFC 9293 3.10.4)", () => {
    const t = inSynSent({ profile });
    t.write(10);
    t.close();
    t.recvNothing();
    t.send({ flags: "S.", options: { mss: 1000 } });
    t.recv({ flags: "FP.", seq: 1, length: 10, ack: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // The same on the passive side.
  test("closeWrite in SYN-RECEIVED is queued (RFC 9293 3.10.4)", () => {
    const t = inSynReceived({ profile });
    t.closeWrite();
    t.recvNothing();
    expect(t.state).toBe("SYN-RECEIVED");
    t.send();
    t.recv({ flags: "F.", seq: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // The remaining text is sent first, with the FIN on its last segment.
  test("closeWrite sends the remaining text and then FIN (RFC 9293 3.6)", () => {
    const t = inEstablished({ profile });
    t.write(1500);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 500 });
    t.closeWrite();
    t.recv({ flags: "F." });
    expect(t.write(10)).toBe(0);
    t.recvNothing();
  });

  // A full window delays the remaining text, and the FIN with it.
  test("closeWrite sends the FIN after text that waits for the window (RFC 9293 3.6)", () => {
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

  // A half-closed connection still receives text.
  test("FIN-WAIT-2 still receives (RFC 9293 3.6)", () => {
    const t = inFinWait2({ profile, tcp: { delayedAckMs: 0 } });
    t.send({ data: 300 });
    if (profile === "internet") t.recv({ seq: 2, ack: 301 });
    expect(t.read()).toBe(300);
    if (profile === "local") t.recv({ seq: 2, ack: 301 });
    t.recvNothing();
  });

  // Text in the same segment as the FIN is accepted; text after the FIN is invalid.
  test("CLOSE-WAIT drops text after the FIN (RFC 9293 3.10.7.4)", () => {
    const t = inCloseWait({ profile });
    t.send({ seq: 2, data: 10 });
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-closed-text")).toBe(1);
    expect(t.state).toBe("CLOSE-WAIT");
  });

  // The other direction stays open.
  test("CLOSE-WAIT still sends (RFC 9293 3.6)", () => {
    const t = inCloseWait({ profile });
    t.write(10);
    t.recv({ flags: "P.", length: 10 });
    t.send({ ack: 11 });
    expect(t.state).toBe("CLOSE-WAIT");
    t.recvNothing();
  });

  // abort() sends RST in every state in which the peer knows of the connection.
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

  // The peer does not know of the connection yet.
  test("abort ends SYN-SENT silently (RFC 9293 3.10.5)", () => {
    const t = inSynSent({ profile });
    t.abort();
    t.recvNothing();
    expect(t.tcb.error).toBe("CONNECTION_ABORTED");
  });
}

describe("close in profile local", () => {
  /** The peer, which has received everything, closes too. */
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

  // Remaining data is sent as by closeWrite(). The RST comes once the peer has closed; directly
  // after the last ACK it would cause EPIPE in a client that is late to notice the close.
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

  // After closeWrite(), nothing changes for the peer.
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

  // The peer's FIN may come with the ACK of ours; it is acknowledged before the RST.
  test("close acknowledges a FIN that acknowledges its own (RFC 9293 3.10.4)", () => {
    const t = inFinWait1();
    t.close();
    t.send({ flags: "F.", ack: 2 });
    t.recv({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
  });

  // The peer never closes: after two MSL the connection ends silently.
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

  // A peer that keeps sending has to learn that the application is gone.
  test("close in FIN-WAIT-2 resets a peer that keeps sending (RFC 9293 3.6.1)", () => {
    const t = inFinWait2();
    t.close();
    t.send({ data: 100 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // The stack shuts down, and the peer sees no error afterwards.
  test("close in FIN-WAIT-2 ends silently with the stack (RFC 9293 3.10.5)", () => {
    const t = inFinWait2();
    t.close();
    t.wire.step((stack) => stack.shutDown());
    t.recvNothing();
    expect(t.state).toBe("CLOSED");
  });

  // Text together with the peer's FIN does not cause a RST.
  test("close in FIN-WAIT-2 acknowledges text with the FIN (RFC 9293 3.6)", () => {
    const t = inFinWait2();
    t.close();
    t.send({ flags: "F.", data: 100 });
    t.recv({ ack: 102 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // Connections without an owner are bounded like those in TIME-WAIT; the oldest is evicted.
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

  // The peer has closed; only the ACK of our FIN is missing.
  test("close in CLOSING resets after the ACK (RFC 9293 3.10.4)", () => {
    const t = inClosing();
    t.close();
    t.recvNothing();
    t.send({ ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // Unread bytes are acknowledged, since otherwise the peer would never send its FIN.
  test("close acknowledges unread and later text (RFC 9293 3.6)", () => {
    const t = inEstablished();
    t.send({ data: 700 });
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 701 });
    t.send({ ack: 1, data: 500 });
    t.recv({ ack: 1201 });
    t.send({ ack: 2 });
    peerCloses(t, 1202);
  });

  // Simultaneous close: the peer's FIN is acknowledged, and the RST follows the ACK of ours.
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

  // close() before the handshake is complete: the connection opens first, then it closes.
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

  // close() before the handshake is complete, and close() after closeWrite().
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

  // RFC 2525 2.17: unread bytes are lost, and the peer must learn of it.
  test("close with unread text resets (RFC 9293 3.6.1)", () => {
    const t = inEstablished({ profile: "internet", tcp: { delayedAckMs: 0 } });
    t.send({ data: 10 });
    t.recv({ ack: 11 });
    t.close();
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // The same for text received after close().
  test("text for a closed connection is answered with RST (RFC 9293 3.6.1)", () => {
    const t = inEstablished({ profile: "internet" });
    t.close();
    t.recv({ flags: "F." });
    t.send({ ack: 2, data: 10 });
    t.recv({ flags: "R." });
    expect(t.state).toBe("CLOSED");
  });

  // LAST-ACK ends with the ACK of the FIN; there is nothing else to wait for.
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

  // Another closeWrite() or close() has no effect in the states after the FIN.
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

  // FIN-WAIT-1 can receive both in one segment.
  test("FIN-WAIT-1 becomes TIME-WAIT by a FIN that acknowledges ours (RFC 9293 3.10.7.4)", () => {
    const t = inFinWait1({ profile: "internet" });
    t.send({ flags: "F.", ack: 2 });
    t.recv({ ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
  });

  // A peer that never sends FIN cannot keep a closed connection alive.
  test("FIN-WAIT-2 of a closed connection ends after a while (RFC 9293 3.6)", () => {
    const t = inFinWait2({ profile: "internet" });
    t.close();
    t.at(60_100);
    expect(t.state).toBe("CLOSED");
    t.recvNothing();
  });
});
