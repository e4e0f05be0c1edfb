import { describe, expect, test } from "bun:test";
import { inEstablished } from "../../support/dsl/builders.ts";

/** A receive buffer of 4,000 bytes. */
const SMALL = { tcp: { receiveBuffer: 4000 } };

describe("acknowledge: on-read", () => {
  // Nothing is acknowledged before the application took it, and then only what it took.
  test("read acknowledges what it took (seed)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.send({ data: 1000 });
    t.recvNothing();
    expect(t.read(1500)).toBe(1500);
    t.recv({ ack: 1501 });
    expect(t.read()).toBe(500);
    t.recv({ ack: 2001 });
    t.recvNothing();
  });

  // Unread bytes are still inside the window: what was offered stays offered.
  test("a segment that is sent meanwhile keeps the right edge (RFC 9293 3.8.6, SHLD-14)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.write("x");
    t.recv({ flags: "P.", length: 1, ack: 1, window: 65535 });
    expect(t.read()).toBe(1000);
    t.recv({ ack: 1001, window: 64535 });
  });

  // The edge moves right when a segment's worth is free, not for each byte.
  test("read offers a larger window in whole segments (RFC 9293 3.8.6.2.2)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 2000 });
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 1001, window: 3000 });
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 2001, window: 4000 });
  });

  // A peer that hears nothing sends again; it learns that the connection lives, and no more.
  test("a retransmission of unread text is answered with the old ACK (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.send({ at: 300, seq: 1, data: 1000 });
    t.recv({ ack: 1, window: 65535, options: {} });
    expect(t.read()).toBe(1000);
    t.recv({ ack: 1001 });
  });

  // After a minute without a read the peer would give up: unread bytes are acknowledged, and as the
  // edge stays the window shrinks; a full buffer closes it.
  test("unread text is acknowledged after ackStall and the window closes (seed)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    t.at(500_000);
    t.recvNothing();
  });

  // Reading opens it again.
  test("reading opens a window that had closed (RFC 9293 3.8.6.2.2)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    expect(t.read(1000)).toBe(1000);
    t.recvNothing();
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 4001, window: 2000 });
    expect(t.read()).toBe(2000);
    t.recv({ ack: 4001, window: 4000 });
  });

  // Each read puts the minute off: it is about readers that have stopped.
  test("ackStall counts from the last read (seed)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.at(40_000);
    t.read(1);
    t.recv({ ack: 2 });
    t.recv({ at: 100_000, ack: 1001 });
  });

  // Text that comes after the stall waits for its own minute.
  test("ackStall begins anew for text that comes later (seed)", () => {
    const t = inEstablished();
    t.send({ data: 100 });
    t.recv({ at: 60_000, ack: 101 });
    t.send({ at: 70_000, data: 100 });
    t.recv({ at: 130_000, ack: 201 });
  });

  // The FIN lies behind the text, and so does its acknowledgement.
  test("a FIN is acknowledged with the last byte before it (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.send({ flags: "F." });
    t.recv({ ack: 1 });
    expect(t.state).toBe("CLOSE-WAIT");
    expect(t.read(999)).toBe(999);
    t.recv({ ack: 1000 });
    expect(t.read()).toBe(1);
    t.recv({ ack: 1002 });
  });

  // What was read late does not make the peer wait: a FIN that nobody reads up to is acknowledged too.
  test("an unread FIN is acknowledged after ackStall (seed)", () => {
    const t = inEstablished();
    t.send({ flags: "F.", data: 10 });
    t.recv({ ack: 1 });
    t.recv({ at: 60_000, ack: 12 });
  });

  // The reader keeps up by a whole buffer: 10,000 bytes pass through 4,000, in order.
  test("a transfer larger than the buffer goes on with the reads (RFC 9293 3.8.6)", () => {
    const t = inEstablished(SMALL);
    for (let i = 0; i < 5; i++) {
      t.send({ data: 2000 });
      expect(t.read()).toBe(2000);
      t.recv({ ack: 2001 + i * 2000, window: 4000 });
    }
  });
});

describe("a closed receive window", () => {
  // The peer's window probe, one byte beyond the edge, is answered and its byte is not taken.
  test("a window probe is answered (RFC 9293 3.8.6.1, MUST-37)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    t.send({ at: 60_300, seq: 4001, data: 1 });
    t.recv({ ack: 4001, window: 0 });
    t.send({ at: 60_900, seq: 4000, data: 1 });
    t.recv({ ack: 4001, window: 0 });
    expect(t.read()).toBe(4000);
  });

  // What the peer sends while our window is closed is not taken as text, its ACK and window are:
  // our own text must not be sent again and again.
  test("the ACK of a segment beyond a closed window counts (RFC 9293 3.10.7.4, first)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    t.write(500);
    t.recv({ flags: "P.", length: 500 });
    t.send({ ack: 501, data: 1000, window: 3000 });
    t.recv({ ack: 4001, window: 0 });
    expect(t.tcb.sndUna).toBe(t.tcb.sndNxt);
    expect(t.tcb.sndWnd).toBe(3000);
    t.at(65_000);
    t.recvNothing();
  });

  // The same for a retransmission of text that was taken before, from a peer whose window is closed.
  test("the ACK of a zero-window peer's retransmission counts (RFC 9293 3.10.7.4, first)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 1000 });
    t.write(500);
    t.recv({ flags: "P.", length: 500, ack: 1 });
    t.send({ seq: 1, ack: 501, data: 1000, window: 0 });
    t.recv({ ack: 1 });
    expect(t.tcb.send.length).toBe(0);
    expect(t.tcb.sndUna).toBe(t.tcb.sndNxt);
  });
});

describe("acknowledge: on-processed", () => {
  // The ACK says that the application has dealt with the bytes, not only that it has them.
  test("markProcessed acknowledges (seed)", () => {
    const t = inEstablished({ tcp: { acknowledge: "on-processed" } });
    t.send({ data: 1000 });
    expect(t.read()).toBe(1000);
    t.recvNothing();
    t.markProcessed();
    t.recv({ ack: 1001 });
  });

  // A FIN is not acknowledged over text that is being dealt with.
  test("a FIN waits for markProcessed (seed)", () => {
    const t = inEstablished({ tcp: { acknowledge: "on-processed" } });
    t.send({ data: 10, flags: "FP." });
    t.recv({ ack: 1 });
    t.read();
    t.markProcessed();
    t.recv({ ack: 12 });
  });
});

describe("acknowledge: on-arrival", () => {
  // One segment waits 40 ms for a second one or for text to ride on.
  test("the ACK of one segment is delayed (RFC 9293 3.8.6.3)", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ data: 1000 });
    t.recv({ at: 40, ack: 1001 });
    t.send({ data: 1000 });
    t.write("x");
    t.recv({ flags: "P.", length: 1, ack: 2001 });
    t.after(100);
    t.recvNothing();
  });

  // Two full segments do not wait.
  test("every second full segment is acknowledged at once (RFC 9293 3.8.6.3, SHLD-19)", () => {
    const t = inEstablished({ profile: "internet", syn: { mss: 1460 } });
    t.send({ data: 1460 });
    t.recvNothing();
    t.send({ data: 1460 });
    t.recv({ ack: 2921 });
  });

  // The window is what is left of the buffer; when reading has freed enough the peer is told.
  test("the window shrinks with unread text and opens with reading (RFC 9293 3.8.6)", () => {
    const t = inEstablished({ profile: "internet", tcp: { receiveBuffer: 4000, delayedAckMs: 0 } });
    t.send({ data: 3000 });
    t.recv({ ack: 3001, window: 1000 });
    expect(t.read(1000)).toBe(1000);
    t.recvNothing();
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 3001, window: 3000 });
  });
});
