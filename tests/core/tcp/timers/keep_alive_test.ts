import { describe, expect, test } from "bun:test";
import { inEstablished } from "../../../support/dsl/builders.ts";
import { ownRecords } from "../../../support/fresh_tcb.ts";

const ON = {
  tcp: {
    keepAlive: true,
    keepAliveIdleMs: 10_000,
    keepAliveIntervalMs: 1000,
    keepAliveProbes: 3,
  },
};

describe("keep-alive", () => {
  // By default an idle connection stays idle forever.
  test("is off by default (RFC 9293 3.8.4, MUST-24)", () => {
    const t = inEstablished();
    t.at(30 * 86_400_000);
    t.recvNothing();
    expect(t.wire.stack.nextTimeout()).toBe(Infinity);
  });

  // A probe has the sequence number SND.NXT - 1, which every peer answers.
  test("probes an idle peer (RFC 9293 3.8.4)", () => {
    const t = inEstablished(ON);
    t.recv({ at: 10_000, seq: 0, ack: 1 });
    t.send({ at: 10_010 });
    t.recv({ at: 20_010, seq: 0, ack: 1 });
  });

  // There may be very many connections: an answered probe leaves no state.
  test("holds no memory after an answered probe", () => {
    const t = inEstablished(ON);
    t.recv({ at: 10_000, seq: 0, ack: 1 });
    expect(ownRecords(t.tcb)).toEqual(["probes"]);
    t.send({ at: 10_010 });
    expect(ownRecords(t.tcb)).toEqual([]);
  });

  // Every segment from the peer restarts the timer.
  test("starts only when the peer is silent (RFC 9293 3.8.4, MUST-25)", () => {
    const t = inEstablished(ON);
    t.send({ at: 5000, data: 1 });
    t.read();
    t.recv({ ack: 2 });
    t.recv({ at: 15_000, seq: 0, ack: 2 });
  });

  // Three probes without an answer: the peer is gone.
  test("gives up on a silent peer (RFC 9293 3.8.4)", () => {
    const t = inEstablished(ON);
    for (const at of [10_000, 11_000, 12_000]) t.recv({ at, seq: 0 });
    t.recv({ at: 13_000, flags: "R." });
    expect(t.tcb.error).toBe("TIMED_OUT");
    expect(t.isForgotten).toBe(true);
  });

  // Ten probes a second, of which the peer answers two: it is alive.
  test("does not end the connection if probes exceed the peer's rate limit (RFC 5961 7)", () => {
    const often = { keepAliveIdleMs: 100, keepAliveIntervalMs: 100, keepAliveProbes: 3 };
    const t = inEstablished({ tcp: { ...ON.tcp, ...often } });
    t.recv({ at: 100, seq: 0 });
    t.send({ at: 100 });
    for (const at of [200, 300, 400, 500, 600]) t.recv({ at, seq: 0 });
    t.send({ at: 600 });
    for (let at = 700; at < 1600; at += 100) t.recv({ at, seq: 0 });
    t.recv({ at: 1600, flags: "R." });
    expect(t.tcb.error).toBe("TIMED_OUT");
  });

  // Answering the probes of a hundred thousand idle connections takes no memory.
  test("holds no memory after a peer's probe", () => {
    const t = inEstablished();
    t.send({ seq: 0 });
    t.recv({ ack: 1 });
    expect(ownRecords(t.tcb)).toEqual([]);
  });

  // Keep-alive is also an option of a socket.
  test("can be turned on and off (RFC 9293 3.8.4)", () => {
    const t = inEstablished({ tcp: { ...ON.tcp, keepAlive: false } });
    t.wire.step((stack) => stack.tcp.setKeepAlive(t.tcb, true, t.wire.now));
    t.recv({ at: 10_000, seq: 0 });
    t.send();
    t.wire.step((stack) => stack.tcp.setKeepAlive(t.tcb, false, t.wire.now));
    t.at(1_000_000);
    t.recvNothing();
  });

  // The peer's probes are answered at most twice a second, but those with a byte of text each time.
  test("a peer's probe is answered (RFC 9293 3.8.4, RFC 5961 7)", () => {
    const t = inEstablished();
    t.send({ seq: 0 });
    t.recv({ ack: 1 });
    t.send({ at: 499, seq: 0 });
    t.recvNothing();
    t.send({ at: 500, seq: 0 });
    t.recv({ ack: 1 });
    t.send({ seq: 0, data: 1 });
    t.recv({ ack: 1 });
    t.send({ seq: 0, data: 1 });
    t.recv({ ack: 1 });
  });
});
