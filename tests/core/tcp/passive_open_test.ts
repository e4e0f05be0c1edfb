import { describe, expect, test } from "bun:test";
import type { Listener } from "../../../core/stack/tcp/listener.ts";
import { TCB_EVENT } from "../../../core/tcp/tcb.ts";
import { RELEASED } from "../../../core/tcp/tcb_flags.ts";
import { inClosed, inListen, inSynReceived } from "../../support/dsl/builders.ts";

const SYN = { flags: "S", options: { mss: 1000 } } as const;

describe("SYN,ACK in profile local", () => {
  // Only a retransmitted SYN triggers it again, with the same ISN.
  test("is retransmitted only in response to a retransmitted SYN (seed)", () => {
    const t = inSynReceived();
    t.send({ ...SYN, at: 500, seq: 0 });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.send({ ...SYN, at: 900, seq: 0 });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.recvNothing();
  });

  // The final ACK was lost and the peer waits for data from us, so it does not retransmit its SYN.
  // A segment outside its window makes it repeat its ACK.
  test("a lost final ACK is solicited (RFC 9293 3.10.7.4, first)", () => {
    const t = inSynReceived();
    t.recv({ at: 1000, flags: ".", seq: 0, ack: 1 });
    t.recv({ at: 3000, flags: ".", seq: 0, ack: 1 });
    t.send();
    expect(t.state).toBe("ESTABLISHED");
    expect(t.takeEvents() & TCB_EVENT.OPENED).toBe(TCB_EVENT.OPENED);
    t.write("x");
    t.recv({ flags: "P.", length: 1 });
    // A tail loss probe, then the timeout, since no RTT is known.
    t.recv({ at: 4000, flags: "P.", seq: 1, length: 1 });
    t.recv({ at: 7000, flags: "P.", seq: 1, length: 1 });
  });

  // A retransmitted SYN must not postpone that segment forever.
  test("a retransmitted SYN does not postpone the solicitation (seed)", () => {
    const t = inSynReceived();
    t.send({ ...SYN, at: 900, seq: 0 });
    t.recv({ flags: "S.", seq: 0, ack: 1 });
    t.recv({ at: 1000, flags: ".", seq: 0, ack: 1 });
  });

  // A silent peer holds resources for at most a minute.
  test("a half-open connection ends after 60 s (RFC 9293 3.8.3)", () => {
    const t = inSynReceived();
    expect(t.state).toBe("SYN-RECEIVED");
    for (const at of [1000, 3000, 7000, 15_000, 31_000]) t.recv({ at, seq: 0 });
    t.at(60_001);
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
  });
});

describe("SYN,ACK in profile internet", () => {
  // By the retransmission timer, which doubles.
  test("is retransmitted (RFC 6298 5.5)", () => {
    const t = inSynReceived({ profile: "internet" });
    t.recv({ at: 1000, flags: "S.", seq: 0 });
    t.recv({ at: 3000, flags: "S.", seq: 0 });
    t.send();
    expect(t.state).toBe("ESTABLISHED");
    t.at(20_000);
    t.recvNothing();
  });
});

describe("SYN-RECEIVED", () => {
  // Text may come with the ACK that completes the handshake.
  test("takes text with the ACK (RFC 9293 3.10.7.4, fifth)", () => {
    const t = inSynReceived();
    t.send({ data: 10, flags: "P." });
    expect(t.state).toBe("ESTABLISHED");
    expect(t.read()).toBe(10);
    t.recv({ ack: 11 });
  });

  // The same with a FIN: the connection is half-closed from the start.
  test("takes a FIN with the ACK (RFC 9293 3.10.7.4, eighth)", () => {
    const t = inSynReceived();
    t.send({ data: 10, flags: "F." });
    expect(t.state).toBe("CLOSE-WAIT");
    t.recv({ ack: 1 });
    expect(t.read()).toBe(10);
    t.recv({ ack: 12 });
  });

  // An ACK of unsent data belongs to another connection.
  test("answers a wrong ACK with RST (RFC 9293 3.10.7.4, fifth)", () => {
    const t = inSynReceived();
    t.send({ seq: 1, ack: 2 });
    t.recv({ flags: "R", seq: 2 });
    t.send({ seq: 1, ack: 0 });
    t.recv({ flags: "R", seq: 0 });
    expect(t.state).toBe("SYN-RECEIVED");
  });

  // The peer gave up: back to LISTEN, without an event.
  test("ends silently by RST (RFC 9293 3.10.7.4, second)", () => {
    const t = inSynReceived();
    expect(t.state).toBe("SYN-RECEIVED");
    t.send({ flags: "R" });
    t.recvNothing();
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
    expect((t.tcb.listener as Listener | undefined)?.halfOpen.size ?? 0).toBe(0);
  });

  // Text on a SYN is not accepted: the SYN,ACK acknowledges only the SYN, and the peer retransmits
  // the text.
  test("leaves text on the SYN to be retransmitted (RFC 9293 3.10.7.2)", () => {
    const t = inListen();
    t.send({ ...SYN, data: 5 });
    t.recv({ flags: "S.", ack: 1 });
    t.send({ seq: 1, data: 5 });
    expect(t.read()).toBe(5);
    t.recv({ ack: 6 });
  });
});

describe("backlog", () => {
  // A third connection is not answered while two wait to be accepted.
  test("bounds the connections waiting to be accepted (RFC 9293 3.10.7.2)", () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { backlog: 2 });
    for (const remotePort of [1, 2]) {
      const one = t.other({ remotePort });
      one.send(SYN);
      one.recv({ flags: "S.", ack: 1 });
      one.send();
    }
    const third = t.other({ remotePort: 3 });
    third.send(SYN);
    third.recvNothing();
    expect(t.wire.stack.stats.dropped("tcp-backlog")).toBe(1);
    expect(listener.ready.map(({ remotePort }) => remotePort)).toEqual([1, 2]);
    listener.ready.shift();
    third.send({ ...SYN, seq: 0 });
    third.recv({ flags: "S.", ack: 1 });
  });

  // Incomplete handshakes are bounded by the backlog, and genuine clients still get through.
  test("bounds half-open connections (RFC 4987 3.6)", () => {
    const t = inClosed();
    t.wire.listen(80, { backlog: 2 });
    for (let remotePort = 1; remotePort <= 50; remotePort++) {
      const one = t.other({ remotePort });
      one.send(SYN);
      one.recv({ flags: "S.", ack: 1 });
    }
    expect(t.wire.stack.tcp.connectionCount).toBe(2);
    const real = t.other({ remotePort: 60 });
    real.send(SYN);
    real.recv({ flags: "S.", ack: 1 });
    real.send();
    expect(real.state).toBe("ESTABLISHED");
  });

  // A connection that is reset before it is accepted stays in the queue: its data can be read.
  test("delivers a connection that was reset before accept (RFC 9293 3.10.7.4, second)", () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { backlog: 1 });
    t.send(SYN);
    t.recv({ flags: "S.", ack: 1 });
    t.send();
    t.send({ data: 10 });
    t.send({ flags: "R", seq: 11 });
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
    expect(listener.isFull).toBe(true);
    const [tcb] = listener.ready;
    expect(tcb!.error).toBe("CONNECTION_RESET");
    expect(tcb!.receive.readable).toBe(10);
  });

  // Nothing will accept it after the listener is closed.
  test("forgets it when the listener is closed (RFC 9293 3.10.4)", () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { backlog: 1 });
    t.send(SYN);
    t.recv({ flags: "S.", ack: 1 });
    t.send();
    t.send({ flags: "R" });
    t.wire.step((stack) => stack.tcp.closeListener(listener));
    expect(listener.ready.length).toBe(0);
    t.recvNothing();
  });

  // There is a limit for the whole stack too.
  test("maxConnections bounds all connections (RFC 9293 3.10.7.2)", () => {
    const t = inListen({ maxConnections: 1 });
    t.send(SYN);
    t.recv({ flags: "S.", ack: 1 });
    const second = t.other({ remotePort: 2 });
    second.send(SYN);
    second.recvNothing();
    expect(t.wire.stack.stats.dropped("tcp-connections")).toBe(1);
  });
});

describe("a listener that decides", () => {
  // The SYN is not answered before the decision, even if retransmitted.
  test('answers after "accept" (RFC 9293 3.10.7.2)', () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { decides: true });
    t.send(SYN);
    t.send({ ...SYN, at: 1000, seq: 0 });
    t.recvNothing();
    expect(listener.undecided).toEqual([t.tcb]);
    t.wire.step((stack) => stack.tcp.decide(t.tcb, "accept"));
    t.recv({ flags: "S.", ack: 1 });
    t.send();
    expect(t.state).toBe("ESTABLISHED");
    expect(t.wire.stack.stats.dropped("tcp-syn-pending")).toBe(1);
  });

  // Refusing answers like a closed port.
  test('refuses after "refuse" (RFC 9293 3.10.7.1)', () => {
    const t = inClosed();
    t.wire.listen(80, { decides: true });
    t.send(SYN);
    t.wire.step((stack) => stack.tcp.decide(t.tcb, "refuse"));
    t.recv({ flags: "R.", seq: t.tcb.iss, ack: 1 });
    expect(t.isForgotten).toBe(true);
  });

  // The peer gave up in the meantime: the decision has no effect.
  test("forgets an attempt that was reset before the decision (RFC 9293 3.10.7.4, second)", () => {
    const t = inClosed();
    t.wire.listen(80, { decides: true });
    t.send(SYN);
    const { tcb } = t;
    t.send({ flags: "R" });
    expect(t.isForgotten).toBe(true);
    t.wire.step((stack) => stack.tcp.decide(tcb, "accept"));
    t.recvNothing();
  });

  // Nothing is sent and no state is kept; a retransmitted SYN needs a decision again.
  test('stays silent after "ignore"', () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { decides: true });
    for (let asked = 1; asked <= 3; asked++) {
      t.send({ ...SYN, seq: 0 });
      const [tcb, ...others] = listener.undecided.splice(0);
      expect(others).toEqual([]);
      t.wire.step((stack) => stack.tcp.decide(tcb!, "ignore"));
      t.recvNothing();
      expect([t.wire.stack.tcp.connectionCount, listener.halfOpen.size]).toEqual([0, 0]);
      expect(t.wire.stack.tcp.timerCount).toBe(0);
      expect(t.wire.stack.stats.dropped("tcp-syn-ignored")).toBe(asked);
    }
    t.send({ ...SYN, seq: 0 });
    t.wire.step((stack) => stack.tcp.decide(listener.undecided[0]!, "accept"));
    t.recv({ flags: "S.", ack: 1 });
  });

  // Only the first decision counts, and only if it is in time.
  test.each(["accept", "refuse", "ignore"] as const)("does not apply %s after ignore", (late) => {
    const t = inClosed();
    const listener = t.wire.listen(80, { decides: true });
    t.send(SYN);
    const [tcb] = listener.undecided;
    t.wire.step((stack) => stack.tcp.decide(tcb!, "ignore"));
    t.wire.step((stack) => stack.tcp.decide(tcb!, late));
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("tcp-syn-ignored")).toBe(1);
  });

  // A peer that keeps retransmitting its SYN keeps its attempt alive.
  test("an attempt whose SYN is retransmitted stays alive (RFC 9293 3.8.3)", () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { decides: true });
    t.send(SYN);
    for (const at of [1000, 3000, 7000, 15_000, 31_000, 63_000]) t.send({ ...SYN, at, seq: 0 });
    t.recvNothing();
    expect(listener.undecided.length).toBe(1);
    t.at(100_000);
    t.wire.step((stack) => stack.tcp.decide(t.tcb, "accept"));
    t.recv({ flags: "S.", ack: 1 });
  });

  // Attempts are bounded by the backlog: one more SYN evicts the oldest silently.
  test("keeps as many attempts as its backlog (RFC 9293 3.10.7.2)", () => {
    const t = inClosed();
    const listener = t.wire.listen(80, { decides: true, backlog: 3 });
    const peers = [1, 2, 3, 4].map((remotePort) => t.other({ remotePort }));
    for (const peer of peers) peer.send(SYN);
    t.recvNothing();
    expect([...listener.halfOpen].map(({ remotePort }) => remotePort)).toEqual([2, 3, 4]);
    expect(listener.undecided.map((each) => each.has(RELEASED))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(t.wire.stack.stats).toMatchObject({ halfOpenEvicted: 1 });
    expect(t.wire.stack.stats.dropped("tcp-backlog")).toBe(0);
  });

  // An attempt without a decision times out.
  test("an undecided attempt ends after 60 s (RFC 9293 3.8.3)", () => {
    const t = inClosed();
    t.wire.listen(80, { decides: true });
    t.send(SYN);
    expect(t.state).toBe("SYN-RECEIVED");
    t.at(60_001);
    expect(t.isForgotten).toBe(true);
    t.recvNothing();
  });
});
