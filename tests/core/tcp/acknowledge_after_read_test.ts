import { describe, expect, test } from "bun:test";
import { inEstablished } from "../../support/dsl/builders.ts";

/** A receive buffer of 4,000 bytes. */
const SMALL = { tcp: { receiveBuffer: 4000 } };

describe("acknowledge: on-read", () => {
  // Data is acknowledged only once the application has read it.
  test("read acknowledges the bytes it returns (seed)", () => {
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

  // Unread bytes still count as inside the window, so its right edge does not move.
  test("a segment sent before the read keeps the right edge of the window (RFC 9293 3.8.6, SHLD-14)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.write("x");
    t.recv({ flags: "P.", length: 1, ack: 1, window: 65535 });
    expect(t.read()).toBe(1000);
    t.recv({ ack: 1001, window: 64535 });
  });

  // The right edge moves when the space of a segment is free, not for each byte.
  test("read offers a larger window in whole segments (RFC 9293 3.8.6.2.2)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 2000 });
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 1001, window: 3000 });
    expect(t.read(1000)).toBe(1000);
    t.recv({ ack: 2001, window: 4000 });
  });

  // A peer without an ACK retransmits; the answer shows only that the connection is alive.
  test("a retransmission of unread text is answered with the old ACK (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.send({ at: 300, seq: 1, data: 1000 });
    t.recv({ ack: 1, window: 65535, options: {} });
    expect(t.read()).toBe(1000);
    t.recv({ ack: 1001 });
  });

  // After a minute without a read the peer might give up: unread bytes are acknowledged, and since
  // the right edge stays, the window shrinks; a full buffer closes it.
  test("unread text is acknowledged after ackStall and the window closes (seed)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    t.at(500_000);
    t.recvNothing();
  });

  // Reading opens the window again.
  test("reading opens a closed window (RFC 9293 3.8.6.2.2)", () => {
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

  // Each read restarts the timer, which is meant for readers that have stopped.
  test("ackStall counts from the last read (seed)", () => {
    const t = inEstablished();
    t.send({ data: 1000 });
    t.at(40_000);
    t.read(1);
    t.recv({ ack: 2 });
    t.recv({ at: 100_000, ack: 1001 });
  });

  // Text received after the stall waits for another minute.
  test("ackStall restarts for later text (seed)", () => {
    const t = inEstablished();
    t.send({ data: 100 });
    t.recv({ at: 60_000, ack: 101 });
    t.send({ at: 70_000, data: 100 });
    t.recv({ at: 130_000, ack: 201 });
  });

  // The FIN follows the text, and is acknowledged after it.
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

  // A FIN after unread text is acknowledged after the timeout too.
  test("an unread FIN is acknowledged after ackStall (seed)", () => {
    const t = inEstablished();
    t.send({ flags: "F.", data: 10 });
    t.recv({ ack: 1 });
    t.recv({ at: 60_000, ack: 12 });
  });

  // 10,000 bytes pass through a buffer of 4,000, in order.
  test("a transfer larger than the buffer continues as data is read (RFC 9293 3.8.6)", () => {
    const t = inEstablished(SMALL);
    for (let i = 0; i < 5; i++) {
      t.send({ data: 2000 });
      expect(t.read()).toBe(2000);
      t.recv({ ack: 2001 + i * 2000, window: 4000 });
    }
  });
});

describe("a closed receive window", () => {
  // The peer's window probe, one byte beyond the edge, is answered without accepting the byte.
  test("a window probe is answered (RFC 9293 3.8.6.1)", () => {
    const t = inEstablished(SMALL);
    t.send({ data: 4000 });
    t.recv({ at: 60_000, ack: 4001, window: 0 });
    t.send({ at: 60_300, seq: 4001, data: 1 });
    t.recv({ ack: 4001, window: 0 });
    t.send({ at: 60_900, seq: 4000, data: 1 });
    t.recv({ ack: 4001, window: 0 });
    expect(t.read()).toBe(4000);
  });

  // While our window is closed, the peer's text is dropped but its ACK and window are processed, so
  // that our text is not retransmitted.
  test("the ACK of a segment beyond a closed window is processed (RFC 9293 3.10.7.4, first)", () => {
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

  // The same for a retransmission of text received before, from a peer whose window is closed.
  test("the ACK of a zero-window peer's retransmission is processed (RFC 9293 3.10.7.4, first)", () => {
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
  // The ACK means that the application has processed the bytes, not only that it has read them.
  test("markProcessed acknowledges (seed)", () => {
    const t = inEstablished({ tcp: { acknowledge: "on-processed" } });
    t.send({ data: 1000 });
    expect(t.read()).toBe(1000);
    t.recvNothing();
    t.markProcessed();
    t.recv({ ack: 1001 });
  });

  // A FIN is not acknowledged before the text is processed.
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
  // The ACK of one segment waits 40 ms for a second segment or for data to be sent.
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

  // The sender repairs losses and waits for each acknowledgement: 48 segments are acknowledged at once.
  test("after a hole each ACK is sent at once, 48 times (RFC 5681 4.2)", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ seq: 1001, data: 1000 });
    t.recv({ ack: 1 });
    t.send({ seq: 1, data: 1000 });
    t.recv({ ack: 2001 });
    for (let i = 2; i < 49; i++) {
      t.send({ at: i, seq: i * 1000 + 1, data: 1000 });
      t.recv({ at: i, ack: (i + 1) * 1000 + 1 });
    }
    t.send({ at: 50, seq: 49_001, data: 1000 });
    t.recv({ at: 90, ack: 50_001 });
  });

  // The acknowledgement of the first copy was lost, so this one is not delayed.
  test("after a duplicate the ACK is sent at once (RFC 5681 4.2)", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ data: 1000 });
    t.recv({ at: 40, ack: 1001 });
    t.send({ at: 250, seq: 1, data: 1000 });
    t.recv({ ack: 1001 });
    t.send({ seq: 1001, data: 1000 });
    t.recv({ at: 250, ack: 2001 });
  });

  // The second full segment is acknowledged immediately.
  test("every second full segment is acknowledged at once (RFC 9293 3.8.6.3, SHLD-19)", () => {
    const t = inEstablished({ profile: "internet", syn: { mss: 1460 } });
    t.send({ data: 1460 });
    t.recvNothing();
    t.send({ data: 1460 });
    t.recv({ ack: 2921 });
  });

  // The window is the free space of the buffer; an update is sent once reading has freed enough.
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
