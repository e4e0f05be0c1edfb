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
  // Nobody asked for it: an idle connection is idle for ever.
  test("is off unless asked for (RFC 9293 3.8.4, MUST-24)", () => {
    const t = inEstablished();
    t.at(30 * 86_400_000);
    t.recvNothing();
    expect(t.wire.stack.nextTimeout()).toBe(Infinity);
  });

  // A probe repeats the number before the next one, which every peer answers.
  test("probes an idle peer (RFC 9293 3.8.4)", () => {
    const t = inEstablished(ON);
    t.recv({ at: 10_000, seq: 0, ack: 1 });
    t.send({ at: 10_010 });
    t.recv({ at: 20_010, seq: 0, ack: 1 });
  });

  // It may be one of very many: an answered probe leaves nothing behind.
  test("keeps nothing of a probe that was answered", () => {
    const t = inEstablished(ON);
    t.recv({ at: 10_000, seq: 0, ack: 1 });
    expect(ownRecords(t.tcb)).toEqual(["probes"]);
    t.send({ at: 10_010 });
    expect(ownRecords(t.tcb)).toEqual([]);
  });

  // Every segment of the peer's puts it off.
  test("waits for the peer to be silent (RFC 9293 3.8.4, MUST-25)", () => {
    const t = inEstablished(ON);
    t.send({ at: 5000, data: 1 });
    t.read();
    t.recv({ ack: 2 });
    t.recv({ at: 15_000, seq: 0, ack: 2 });
  });

  // Three probes without an answer: the peer is gone.
  test("gives a silent peer up (RFC 9293 3.8.4)", () => {
    const t = inEstablished(ON);
    for (const at of [10_000, 11_000, 12_000]) t.recv({ at, seq: 0 });
    t.recv({ at: 13_000, flags: "R." });
    expect(t.tcb.error).toBe("TIMED_OUT");
    expect(t.isForgotten).toBe(true);
  });

  // Ten probes a second, of which the peer answers two: it is there.
  test("more often than a peer answers does not end the connection (RFC 5961 7)", () => {
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

  // A hundred thousand idle connections get probes all the time: it takes no memory to answer them.
  test("keeps nothing of a peer's probe", () => {
    const t = inEstablished();
    t.send({ seq: 0 });
    t.recv({ ack: 1 });
    expect(ownRecords(t.tcb)).toEqual([]);
  });

  // It is a socket's option as well.
  test("can be turned on and off (RFC 9293 3.8.4)", () => {
    const t = inEstablished({ tcp: { ...ON.tcp, keepAlive: false } });
    t.wire.step((stack) => stack.tcp.setKeepAlive(t.tcb, true, t.wire.now));
    t.recv({ at: 10_000, seq: 0 });
    t.send();
    t.wire.step((stack) => stack.tcp.setKeepAlive(t.tcb, false, t.wire.now));
    t.at(1_000_000);
    t.recvNothing();
  });

  // The peer's own probe is answered, twice a second at most; with a byte of text each time.
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
