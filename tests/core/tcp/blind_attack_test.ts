import { describe, expect, test } from "bun:test";
import {
  inCloseWait,
  inEstablished,
  inFinWait1,
  inLastAck,
  inListen,
} from "../../support/dsl/builders.ts";

describe("RST", () => {
  // Exactly the next number: the connection ends.
  test("with the next number ends the connection (RFC 5961 3.2)", () => {
    const t = inEstablished();
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("CONNECTION_RESET");
    expect(t.isForgotten).toBe(true);
    t.recvNothing();
  });

  // Somewhere in the window: whoever guessed it is asked to show more.
  test("elsewhere in the window is challenged (RFC 5961 3.2)", () => {
    const t = inEstablished();
    t.send({ flags: "R", seq: 100 });
    t.recv({ ack: 1 });
    expect(t.state).toBe("ESTABLISHED");
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
  });

  // Outside the window it is not even answered.
  test("outside the window is dropped (RFC 5961 3.2)", () => {
    const t = inEstablished();
    for (const seq of [0, -1000, 70_000, 0x40000000]) t.send({ flags: "R", seq });
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("tcp-rst-sequence")).toBe(4);
    expect(t.state).toBe("ESTABLISHED");
  });

  // A peer that has said everything and has everything: its RST is a way to say goodbye.
  test("after both FINs is no error (RFC 9293 3.10.7.4, second)", () => {
    const t = inCloseWait();
    t.closeWrite();
    t.recv({ flags: "F." });
    t.send({ ack: 2 });
    t.send({ flags: "R", seq: 2 });
    expect(t.tcb.error).toBe(undefined);
    expect(t.state).toBe("CLOSED");
  });

  // The same where the RST crosses the last ACK.
  test("in LAST-ACK is no error (RFC 9293 3.10.7.4, second)", () => {
    const t = inLastAck();
    t.send({ flags: "R", seq: 2 });
    expect(t.tcb.error).toBe(undefined);
    expect(t.state).toBe("CLOSED");
  });

  // In the middle of our own sending it is one.
  test("in FIN-WAIT-1 is an error (RFC 9293 3.10.7.4, second)", () => {
    const t = inFinWait1();
    t.send({ flags: "R" });
    expect(t.tcb.error).toBe("CONNECTION_RESET");
  });

  // What had arrived before can still be read.
  test("leaves what has arrived to be read (RFC 9293 3.10.7.4, second)", () => {
    const t = inEstablished();
    t.send({ data: 100 });
    t.send({ flags: "R" });
    expect(t.state).toBe("CLOSED");
    expect(t.read()).toBe(100);
    t.recvNothing();
  });
});

describe("SYN", () => {
  // Whatever its number: the peer, if it has really restarted, answers the challenge with RST.
  test("in a synchronized state is challenged (RFC 5961 4.2)", () => {
    for (const seq of [1, 0, 50_000, -5000, 0x40000000]) {
      const t = inEstablished();
      t.send({ flags: "S", seq });
      t.recv({ seq: 1, ack: 1 });
      expect(t.state).toBe("ESTABLISHED");
    }
  });

  // The peer has restarted: its RST carries the number that our challenge acknowledged.
  test("of a peer that has restarted ends the old connection (RFC 9293 3.5.1)", () => {
    const t = inEstablished();
    t.send({ flags: "S", seq: 1234 });
    t.recv({ seq: 1, ack: 1 });
    t.send({ flags: "R", seq: 1 });
    expect(t.state).toBe("CLOSED");
  });

  // No more than one challenge in half a second: it is no amplifier and no loop.
  test("is challenged twice a second at most (RFC 5961 7)", () => {
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
  // Of what was never sent.
  test("of what was not sent is challenged and dropped (RFC 9293 3.10.7.4, fifth)", () => {
    const t = inEstablished();
    t.send({ ack: 1000, data: 10 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-ack-unsent")).toBe(1);
  });

  // Of long ago: no peer is further behind than its own largest window.
  test("from long ago is challenged and dropped (RFC 5961 5.2)", () => {
    const t = inEstablished({ window: 1000 });
    t.send({ ack: -1100, data: 10 });
    t.recv({ seq: 1, ack: 1 });
    expect(t.wire.stack.stats.dropped("tcp-ack-old")).toBe(1);
    t.send({ seq: 1, ack: -900, data: 10 });
    expect(t.read()).toBe(10);
    t.recv({ ack: 11 });
  });

  // A segment without ACK is nothing in a synchronized state.
  test("is demanded (RFC 9293 3.10.7.4, fifth)", () => {
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

  // A segment with a timestamp below the last one is a duplicate of long ago.
  test("are refused and answered (RFC 7323 5.3)", () => {
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

  // A RST is taken by its number alone.
  test("do not protect from RST (RFC 7323 5.2)", () => {
    const t = inEstablished(TIMED);
    t.send({ flags: "R", options: {} });
    expect(t.state).toBe("CLOSED");
  });

  // After 24 days of silence the peer's clock may have wrapped.
  test("count no longer after 24 days (RFC 7323 5.5)", () => {
    const t = inEstablished(TIMED);
    t.at(25 * 86_400_000);
    t.send({ data: 10, options: { timestamps: [4000, 0] } });
    t.recv({ ack: 11 });
    expect(t.read()).toBe(10);
  });

  // The newest timestamp of a segment in order is echoed, not that of one behind a hole.
  test("what is echoed is the last in order (RFC 7323 4.3)", () => {
    const t = inEstablished(TIMED);
    t.send({ data: 10, options: { timestamps: [6000, 0] } });
    expect(t.recv({ ack: 11 }).options.timestamps?.[1]).toBe(6000);
    t.send({ seq: 21, data: 10, options: { timestamps: [7000, 0] } });
    expect(t.recv({ ack: 11 }).options.timestamps?.[1]).toBe(6000);
    t.send({ seq: 11, data: 10, options: { timestamps: [7500, 0] } });
    expect(t.recv({ ack: 31 }).options.timestamps?.[1]).toBe(7500);
  });
});

describe("wrong bytes", () => {
  // A checksum that does not hold: dropped, nobody is told.
  test("a wrong checksum is dropped (RFC 9293 3.1)", () => {
    const t = inEstablished();
    t.send({ data: 10, checksumError: 1 });
    t.recvNothing();
    expect(t.read()).toBe(0);
    expect(t.wire.stack.stats.dropped("tcp-checksum")).toBe(1);
  });

  // Urgent data is read in line with the rest.
  test("urgent data is ordinary data (RFC 6093 3)", () => {
    const t = inEstablished();
    t.send({ flags: "PU.", data: 10, urgentPointer: 5 });
    expect(t.read()).toBe(10);
    t.recv({ ack: 11 });
  });

  // All flags at once open nothing.
  test("a SYN with FIN and RST opens nothing (RFC 9293 3.10.7.2)", () => {
    const t = inListen();
    t.send({ flags: "FSRPU." });
    expect(t.state).toBe("CLOSED");
    t.wire.unread.splice(0);
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
  });
});
