import { describe, expect, test } from "bun:test";
import { inClosed, inEstablished } from "../../support/dsl/builders.ts";

describe("sequence numbers modulo 2^32", () => {
  // The clock is set so that our SYN has the desired ISN.
  test("iss can be chosen (RFC 9293 3.4.1)", () => {
    for (const iss of [0, 0xffffffff, 0x7fffffff, 0x80000000]) {
      expect(inEstablished({ iss }).iss).toBe(iss);
    }
  });

  // SYN at 2^32 - 1: the first byte of text has number 0. FIN is acknowledged after the wrap too.
  test.each([0xffffffff, 0xfffff830, 0xfffffffe, 0x7ffffc00])(
    "sent data wraps from %d (RFC 9293 3.4)",
    (iss) => {
      const t = inEstablished({ iss, syn: { mss: 1000 } });
      t.write(5000);
      const sent = t.recvAll();
      expect(sent.map(({ text }) => text.length)).toEqual([1000, 1000, 1000, 1000, 1000]);
      expect(sent.map(({ seq }) => seq)).toEqual(
        [0, 1, 2, 3, 4].map((i) => (iss + 1 + i * 1000) % 2 ** 32),
      );
      t.send({ at: 10, ack: 2001 });
      for (let i = 0; i < 3; i++) t.send({ ack: 2001 });
      t.recv({ seq: 2001, length: 1000 });
      t.send({ at: 20, ack: 5001 });
      t.close();
      t.recv({ flags: "F.", seq: 5001 });
      t.send({ ack: 5002 });
      t.send({ flags: "F.", ack: 5002 });
      t.recv({ seq: 5002, ack: 2 });
      t.recv({ flags: "R." });
      expect(t.tcb.error).toBe(undefined);
    },
  );

  // The same with SACK blocks on both sides of the wrap.
  test("SACK blocks of the peer wrap (RFC 2018 3)", () => {
    const t = inEstablished({ iss: 0xfffff830 });
    t.write(5000);
    t.recvAll();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 5001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    t.send({ at: 20, ack: 5001 });
    expect(t.tcb.scoreboard.isEmpty).toBe(true);
  });

  // In order, out of order, overlapping and beyond the window, each across the wrap.
  test.each([0xffffffff, 0xfffffc18, 0xfffffffe, 0x7ffffff0])(
    "received data wraps from %d (RFC 9293 3.4)",
    (irs) => {
      const t = inEstablished({ irs });
      t.send({ seq: 1501, data: 500 });
      t.recv({ ack: 1, options: { sack: [[1501, 2001]] } });
      t.send({ seq: 501, data: 700 });
      t.recv({ ack: 1, options: { sack: [[501, 1201], [1501, 2001]] } });
      t.send({ seq: 1, data: 600 });
      t.recv({ ack: 1, options: { sack: [[1501, 2001]] } });
      expect(t.read()).toBe(1200);
      t.recv({ ack: 1201 });
      t.send({ seq: 1001, data: 600 });
      t.recv({ ack: 1201 });
      expect(t.read()).toBe(800);
      t.recv({ ack: 2001 });
      t.send({ seq: 1, data: 100 });
      t.recv({ ack: 2001 });
      t.send({ seq: 200_001, data: 100 });
      t.recv({ ack: 2001 });
      t.send({ flags: "F.", seq: 2001 });
      t.recv({ ack: 2002 });
      expect(t.state).toBe("CLOSE-WAIT");
    },
  );

  // Transferring 2^32 bytes would take too long, so the transfer starts before the wrap.
  test("a long transfer crosses the wrap in both directions (RFC 9293 3.4)", () => {
    const t = inEstablished({ iss: 0xffff0000, irs: 0xffff8000 });
    for (let i = 0; i < 100; i++) {
      t.send({ data: 1400 });
      expect(t.read()).toBe(1400);
      t.recv({ ack: 1401 + i * 1400 });
      t.write(1000);
      t.recv({ flags: "P.", length: 1000 });
      t.send();
    }
    expect(t.tcb.bytesIn).toBe(140_000);
    expect(t.tcb.bytesOut).toBe(100_000);
  });

  // RST at RCV.NXT, on both sides of the wrap.
  test("a RST is compared across the wrap (RFC 5961 3.2)", () => {
    const t = inEstablished({ irs: 0xfffffffe });
    t.send({ data: 10 });
    t.read();
    t.recv({ ack: 11 });
    t.send({ flags: "R", seq: 12 });
    t.recv({ ack: 11 });
    t.send({ flags: "R", seq: 11 });
    expect(t.tcb.error).toBe("CONNECTION_RESET");
  });

  // A peer's SYN with the highest number is acknowledged with 0.
  test("a SYN with the highest number is acknowledged with 0 (RFC 9293 3.4)", () => {
    const t = inClosed({ irs: 0xffffffff });
    t.wire.listen(80);
    t.send({ flags: "S" });
    expect(t.recv({ flags: "S.", ack: 1 }).ack).toBe(0);
  });
});
