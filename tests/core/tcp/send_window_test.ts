import { describe, expect, test } from "bun:test";
import { currentRto } from "../../../core/tcp/recovery/rtt.ts";
import { TCB_EVENT } from "../../../core/tcp/tcb.ts";
import { inCloseWait, inEstablished } from "../../support/dsl/builders.ts";

const PLAIN = { syn: { mss: 1000 } };

describe("a closed window", () => {
  // One byte after the RTO, then at doubled intervals; the peer's answers keep the connection
  // alive.
  test("is probed with one byte (RFC 9293 3.8.6.1)", () => {
    const t = inEstablished(PLAIN);
    t.send({ window: 0 });
    t.write(500);
    t.recvNothing();
    t.recv({ at: 210, flags: "P.", seq: 1, length: 1 });
    t.send({ ack: 1, window: 0 });
    for (const at of [630, 1470, 3150]) {
      t.recv({ at, seq: 1, length: 1 });
      t.send({ ack: 1, window: 0 });
    }
  });

  // The window opens: the byte, which was not accepted, is sent again with the rest.
  test("resumes sending as soon as it opens (RFC 9293 3.8.6.1)", () => {
    const t = inEstablished(PLAIN);
    t.send({ window: 0 });
    t.write(500);
    t.recv({ at: 210, flags: "P.", seq: 1, length: 1 });
    t.send({ at: 300, ack: 1, window: 5000 });
    t.recv({ flags: ".", seq: 1, length: 1 });
    t.recv({ flags: "P.", seq: 2, length: 499 });
    t.send({ ack: 501 });
    t.at(60_000);
    t.recvNothing();
  });

  // A peer may accept the byte and keep the window closed.
  test("continues after a probe that was accepted (RFC 9293 3.8.6.1)", () => {
    const t = inEstablished(PLAIN);
    t.send({ window: 0 });
    t.write(500);
    t.recv({ at: 210, flags: "P.", seq: 1, length: 1 });
    t.send({ ack: 2, window: 0 });
    t.recv({ at: 210 + currentRto(t.tcb), flags: "P.", seq: 2, length: 1 });
    t.send({ at: 500, ack: 3, window: 5000 });
    t.recv({ flags: "P.", seq: 3, length: 498 });
  });

  // A peer may keep its window closed for hours while it answers the probes.
  test("may stay closed as long as probes are answered (RFC 9293 3.8.6.1, MUST-37)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { userTimeoutMs: 100_000 } });
    t.send({ window: 0 });
    t.write(500);
    for (let i = 0; i < 200; i++) {
      t.wire.advanceUntilSent(60_001);
      expect(t.recvAll().map(({ text }) => text.length)).toEqual([1]);
      t.send({ ack: 1, window: 0 });
    }
    expect(t.wire.elapsed).toBeGreaterThan(3_600_000);
    expect(t.state).toBe("ESTABLISHED");
  });

  // The peer does not answer.
  test("ends a connection whose probes are not answered (RFC 9293 3.8.3)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { userTimeoutMs: 2000 } });
    t.send({ window: 0 });
    t.write(500);
    t.recv({ at: 210, flags: "P.", seq: 1, length: 1 });
    for (const at of [630, 1470]) t.recv({ at, seq: 1, length: 1 });
    t.recv({ at: 3150, flags: "R." });
    expect(t.tcb.error).toBe("TIMED_OUT");
  });

  // Outstanding text is probed with a byte, not retransmitted in full.
  test("that closed over outstanding text is probed (RFC 9293 3.8.6.1)", () => {
    const t = inEstablished(PLAIN);
    t.write(2000);
    t.recvAll();
    t.send({ at: 10, ack: 1, window: 0 });
    t.recv({ at: 210, seq: 1, length: 1 });
    t.send({ at: 300, ack: 1001, window: 0 });
    t.wire.advanceUntilSent(1000);
    t.recv({ seq: 1001, length: 1 });
    t.send({ ack: 1001, window: 4000 });
    const sent = t.recvAll().reduce((sum, { text }) => sum + text.length, 0);
    t.wire.advanceUntilSent(1000);
    const later = t.recvAll().reduce((sum, { text }) => sum + text.length, 0);
    expect(sent + later).toBeGreaterThanOrEqual(1000);
    t.send({ ack: 2001, window: 4000 });
    t.at(100_000);
    t.recvNothing();
  });

  // A FIN needs no window.
  test("does not delay a FIN without text (RFC 9293 3.7)", () => {
    const t = inEstablished(PLAIN);
    t.send({ window: 0 });
    t.closeWrite();
    t.recv({ flags: "F.", seq: 1 });
  });

  // The window of an old segment is ignored.
  test("is not opened by an old segment (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished(PLAIN);
    t.send({ data: 10 });
    t.read();
    t.recv({ ack: 11 });
    t.send({ ack: 1, window: 0 });
    t.write(100);
    t.send({ seq: 1, data: 10, window: 9000 });
    t.recv({ ack: 11 });
    expect(t.tcb.sndWnd).toBe(0);
  });
});

describe("silly window syndrome", () => {
  // A window of half a segment is not used until the override timeout.
  test("a small window is not filled with small segments (RFC 9293 3.8.6.2.1)", () => {
    const t = inEstablished(PLAIN);
    t.send({ window: 400 });
    t.write(2000);
    t.recvNothing();
    t.recv({ at: 210, flags: "P.", length: 400 });
  });

  // To a peer with a small buffer, half of it is sent at a time.
  test("half of the largest window is enough for a segment (RFC 9293 3.8.6.2.1)", () => {
    const t = inEstablished({ ...PLAIN, window: 600 });
    t.write(2000);
    t.recv({ length: 600 });
    t.send({ ack: 601, window: 400 });
    t.recv({ length: 400 });
  });

  // Nagle's algorithm: small segments wait while anything is unacknowledged.
  test("Nagle holds small segments back (RFC 9293 3.7.4)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { noDelay: false } });
    t.write(10);
    t.recv({ flags: "P.", length: 10 });
    t.write(10);
    t.write(20);
    t.recvNothing();
    t.send({ at: 10, ack: 11 });
    t.recv({ flags: "P.", length: 30 });
    t.write(1500);
    t.recv({ length: 1000 });
    t.recvNothing();
    t.closeWrite();
    t.recv({ flags: "FP.", length: 500 });
  });

  // Nagle's algorithm is off by default.
  test("without Nagle small segments are sent at once (RFC 9293 3.7.4, MUST-17)", () => {
    const t = inEstablished(PLAIN);
    for (let i = 0; i < 3; i++) {
      t.write(10);
      t.recv({ flags: "P.", length: 10 });
    }
  });
});

describe("the send buffer", () => {
  // A writer that is faster than the peer has less accepted, and is notified when there is room.
  test("accepts no more than its size and notifies when there is room (RFC 9293 3.9.1.2)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { sendBuffer: 4096 } });
    expect(t.write(5000)).toBe(4096);
    expect(t.write(1)).toBe(0);
    t.recvAll();
    t.takeEvents();
    t.send({ at: 10, ack: 1001 });
    expect(t.takeEvents() & TCB_EVENT.WRITABLE).toBe(TCB_EVENT.WRITABLE);
    expect(t.write(5000)).toBe(1000);
    t.recv({ flags: "P.", length: 1000 });
  });

  // Acknowledged data is dropped, and an empty ring is returned to the pool.
  test("is empty when all data is acknowledged (RFC 9293 3.8.1)", () => {
    const t = inCloseWait(PLAIN);
    t.write(3000);
    t.recvAll();
    t.send({ ack: 3001 });
    expect(t.tcb.send.length).toBe(0);
    expect(t.tcb.send.ring.block.length).toBe(0);
  });
});
