import { describe, expect, test } from "bun:test";
import {
  inCloseWait,
  inEstablished,
  inFinWait1,
  inLastAck,
  inListen,
} from "../../support/dsl/builders.ts";

describe("RST", () => {
  // The sequence number is exactly RCV.NXT: the connection ends.
  test("at RCV.NXT ends the connection (RFC 5961 3.2)", () => {
    const t = inEstablished();
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("CONNECTION_RESET");
    expect(t.isForgotten).toBe(true);
    t.recvNothing();
  });

  // In the window but not at RCV.NXT: the peer has to confirm it.
  test("elsewhere in the window is challenged (RFC 5961 3.2)", () => {
    const t = inEstablished();
    t.send({ flags: "R", seq: 100 });
    t.recv({ ack: 1 });
    expect(t.state).toBe("ESTABLISHED");
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
  });

  // Outside the window there is no answer.
  test("outside the window is dropped (RFC 5961 3.2)", () => {
    const t = inEstablished();
    for (const seq of [0, -1000, 70_000, 0x40000000]) t.send({ flags: "R", seq });
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("tcp-rst-sequence")).toBe(4);
    expect(t.state).toBe("ESTABLISHED");
  });

  // All data and both FINs are acknowledged, so nothing is lost.
  test("after both FINs is not an error (RFC 9293 3.10.7.4, second)", () => {
    const t = inCloseWait();
    t.closeWrite();
    t.recv({ flags: "F." });
    t.send({ ack: 2 });
    t.send({ flags: "R", seq: 2 });
    expect(t.tcb.error).toBe(undefined);
    expect(t.state).toBe("CLOSED");
  });

  // The same if the RST crosses the last ACK.
  test("in LAST-ACK is not an error (RFC 9293 3.10.7.4, second)", () => {
    const t = inLastAck();
    t.send({ flags: "R", seq: 2 });
    expect(t.tcb.error).toBe(undefined);
    expect(t.state).toBe("CLOSED");
  });

  // While our data is unacknowledged it is an error.
  test("in FIN-WAIT-1 is an error (RFC 9293 3.10.7.4, second)", () => {
    const t = inFinWait1();
    t.send({ flags: "R" });
    expect(t.tcb.error).toBe("CONNECTION_RESET");
  });

  // Data received before can still be read.
  test("leaves received data readable (RFC 9293 3.10.7.4, second)", () => {
    const t = inEstablished();
    t.send({ data: 100 });
    t.send({ flags: "R" });
    expect(t.state).toBe("CLOSED");
    expect(t.read()).toBe(100);
    t.recvNothing();
  });
});

describe("SYN", () => {
  // With any sequence number: a peer that has really restarted answers the challenge with RST.
  test("in a synchronized state is challenged (RFC 5961 4.2)", () => {
    for (const seq of [1, 0, 50_000, -5000, 0x40000000]) {
      const t = inEstablished();
      t.send({ flags: "S", seq });
      t.recv({ seq: 1, ack: 1 });
      expect(t.state).toBe("ESTABLISHED");
    }
  });

  // The peer has restarted: its RST carries the acknowledgement number of our challenge.
  test("of a restarted peer ends the old connection (RFC 9293 3.5.1)", () => {
    const t = inEstablished();
    t.send({ flags: "S", seq: 1234 });
    t.recv({ seq: 1, ack: 1 });
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
  });

  // At most one challenge in half a second, to prevent amplification and loops.
  test("is challenged at most twice a second (RFC 5961 7)", () => {
    const t = inEstablished();
    for (let i = 0; i < 10; i++) t.send({ flags: "S", seq: 1000 + i, at: 0 }), t.recvAll();
    expect(t.tcb.segmentsOut).toBe(2);
    t.send({ flags: "S", seq: 1000, at: 499 });
    t.recvNothing();
    t.send({ flags: "S", seq: 1000, at: 500 });
    t.recv({ ack: 1 });
  });
});

describe("ACK", () => {
  // It acknowledges data that was never sent.
  test("of unsent data is challenged and dropped (RFC 9293 3.10.7.4, fifth)", () => {
    const t = inEstablished();
    t.send({ ack: 1000, data: 10 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-ack-unsent")).toBe(1);
  });

  // It is older than the largest window that the peer has offered.
  test("of very old data is challenged and dropped (RFC 5961 5.2)", () => {
    const t = inEstablished({ window: 1000 });
    t.send({ ack: -1100, data: 10 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.wire.stack.stats.dropped("tcp-ack-old")).toBe(1);
    t.send({ seq: 1, ack: -900, data: 10 });
    expect(t.read()).toBe(10);
    t.recv({ ack: 11 });
  });

  // Segments without ACK are dropped in synchronized states.
  test("is required (RFC 9293 3.10.7.4, fifth)", () => {
    const t = inEstablished();
    t.send({ flags: "P", data: 10 });
    t.recvNothing();
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-no-ack")).toBe(1);
  });
});

describe("old timestamps", () => {
  const TIMED = {
    profile: "internet",
    tcp: { delayedAckMs: 0 },
    syn: { mss: 1000, timestamps: [5000, 0] },
  } as const;

  // A segment with an older timestamp than the last is an old duplicate.
  test("are dropped and answered with an ACK (RFC 7323 5.3)", () => {
    const t = inEstablished(TIMED);
    t.send({ data: 10 });
    t.recv({ ack: 11 });
    t.send({ seq: 11, data: 10, options: { timestamps: [4000, 0] } });
    t.recv({ ack: 11 });
    expect(t.wire.stack.stats.dropped("tcp-paws")).toBe(1);
    t.send({ seq: 11, data: 10 });
    t.recv({ ack: 21 });
    expect(t.read()).toBe(20);
  });

  // A RST is checked by its sequence number only.
  test("do not protect against RST (RFC 7323 5.2)", () => {
    const t = inEstablished(TIMED);
    t.send({ flags: "R", options: {} });
    expect(t.state).toBe("CLOSED");
  });

  // After 24 idle days the peer's timestamp clock may have wrapped.
  test("are accepted after 24 idle days (RFC 7323 5.5)", () => {
    const t = inEstablished(TIMED);
    t.at(25 * 86_400_000);
    t.send({ data: 10, options: { timestamps: [4000, 0] } });
    t.recv({ ack: 11 });
    expect(t.read()).toBe(10);
  });

  // The timestamp of the last in-order segment is echoed, not that of an out-of-order one.
  test("the echo is the timestamp of the last in-order segment (RFC 7323 4.3)", () => {
    const t = inEstablished(TIMED);
    t.send({ data: 10, options: { timestamps: [6000, 0] } });
    expect(t.recv({ ack: 11 }).options.timestamps?.[1]).toBe(6000);
    t.send({ seq: 21, data: 10, options: { timestamps: [7000, 0] } });
    expect(t.recv({ ack: 11 }).options.timestamps?.[1]).toBe(6000);
    t.send({ seq: 11, data: 10, options: { timestamps: [7500, 0] } });
    expect(t.recv({ ack: 31 }).options.timestamps?.[1]).toBe(7500);
  });
});

describe("malformed segments", () => {
  // Dropped without an answer.
  test("a wrong checksum is dropped (RFC 9293 3.1)", () => {
    const t = inEstablished();
    t.send({ data: 10, checksumError: 1 });
    t.recvNothing();
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-checksum")).toBe(1);
  });

  // Urgent data is delivered in line.
  test("urgent data is ordinary data (RFC 6093 2.1)", () => {
    const t = inEstablished();
    t.send({ flags: "PU.", data: 10, urgentPointer: 5 });
    expect(t.read()).toBe(10);
    t.recv({ ack: 11 });
  });

  // Invalid flag combinations do not open a connection.
  test("a SYN with FIN and RST opens nothing (RFC 9293 3.10.7.2)", () => {
    const t = inListen();
    t.send({ flags: "FSRPU." });
    expect(t.state).toBe("CLOSED");
    t.wire.unread.splice(0);
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
  });
});
