import { describe, expect, test } from "bun:test";
import { inFinWait2, inTimeWait, type Setup } from "../../../support/dsl/builders.ts";

const SYN = { flags: "S", options: { mss: 1000 } } as const;
const TIMED = { syn: { mss: 1000, timestamps: [5000, 0] } } as const;

function listening(setup: Setup = {}): ReturnType<typeof inTimeWait> {
  const t = inTimeWait(setup);
  expect(t.state).toBe("TIME-WAIT");
  return t;
}

describe("TIME-WAIT", () => {
  // Two maximum segment lifetimes, then the connection is released.
  test("lasts two MSL (RFC 9293 3.6.1)", () => {
    const t = listening();
    t.at(59_999);
    expect(t.isForgotten).toBe(false);
    t.at(60_001);
    expect(t.isForgotten).toBe(true);
    expect(t.wire.stack.tcp.timerCount).toBe(0);
  });

  // The peer did not receive our ACK, which is sent again; the timer restarts.
  test("acknowledges a retransmitted FIN (RFC 9293 3.10.7.4, eighth)", () => {
    const t = listening();
    t.send({ at: 50_000, flags: "F.", seq: 1 });
    t.recv({ ack: 2 });
    t.at(109_000);
    expect(t.isForgotten).toBe(false);
    t.at(110_001);
    expect(t.isForgotten).toBe(true);
  });

  // RFC 1337: a RST, old or forged, must not cut it short.
  test("is not ended by RST (RFC 1337 3)", () => {
    const t = listening();
    t.send({ flags: "R", seq: 2 });
    t.recvNothing();
    expect(t.state).toBe("TIME-WAIT");
  });

  // A SYN newer than the old connection opens a new one.
  test("gives way to a newer SYN (RFC 9293 3.6.1, MAY-2)", () => {
    const t = listening();
    const next = t.other({ irs: t.irs + 100_000 });
    next.send(SYN);
    next.recv({ flags: "S.", ack: 1 });
    next.send();
    expect(next.state).toBe("ESTABLISHED");
    expect(t.wire.stack.tcp.connectionCount).toBe(1);
  });

  // 100,000 bytes in 70 ms are more than the ISN clock has advanced: the new ISN still lies above
  // them, so that old segments are not mistaken for new ones.
  test("gives way to a connection whose ISN lies above what was sent (RFC 9293 3.6.1, MAY-2)", () => {
    const t = listening();
    t.tcb.sndNxt = (t.tcb.sndNxt + 100_000) | 0;
    const { sndNxt } = t.tcb;
    const next = t.other({ irs: t.irs + 100_000 });
    next.send(SYN);
    next.recv({ flags: "S.", ack: 1 });
    const ahead = (next.tcb.iss - sndNxt) | 0;
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThan(0x20000);
  });

  // With a full backlog the answer would be a SYN cookie, whose number cannot be chosen: TIME-WAIT
  // stays, and the SYN has to be retransmitted.
  test("does not give way to a SYN cookie (RFC 4987 3.6)", () => {
    const t = listening({ backlog: 1 });
    const squatter = t.other({ remotePort: 39_999 });
    squatter.send({ flags: "S" });
    squatter.recv({ flags: "S.", ack: 1 });
    t.send({ ...SYN, seq: 100_000 });
    t.recvNothing();
    expect(t.state).toBe("TIME-WAIT");
    expect(t.wire.stack.stats.dropped("tcp-backlog")).toBe(1);
  });

  // The timestamp shows that it is old, whatever its sequence number.
  test("does not give way to a SYN with an older timestamp (RFC 6191 2)", () => {
    const t = listening(TIMED);
    t.send({
      flags: "S",
      seq: 100_000,
      options: { mss: 1000, timestamps: [t.peerTime - 1000, 0] },
    });
    t.recv({ seq: 2, ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
  });

  // The timestamp shows that it is new, even if its sequence number is lower.
  test("gives way to a SYN with a newer timestamp (RFC 6191 2)", () => {
    const t = listening(TIMED);
    t.after(1000);
    const next = t.other({ irs: t.irs - 100_000 });
    next.send({ flags: "S", options: { mss: 1000, timestamps: [t.peerTime, 0] } });
    next.recv({ flags: "S.", ack: 1 });
    expect(next.state).toBe("SYN-RECEIVED");
  });

  // The SYN is an old duplicate.
  test("does not give way to an old SYN (RFC 9293 3.6.1)", () => {
    const t = listening();
    t.send({ ...SYN, seq: -50_000 });
    t.recv({ seq: 2, ack: 2 });
    expect(t.state).toBe("TIME-WAIT");
  });

  // The application can still read data received before the end.
  test("leaves unread text to the application (RFC 9293 3.10.3)", () => {
    const t = inFinWait2({ profile: "internet" });
    t.send({ flags: "F.", data: 100 });
    t.recv({ ack: 102 });
    expect(t.state).toBe("TIME-WAIT");
    expect(t.read()).toBe(100);
    t.recvNothing();
  });

  // Data that will never be read is dropped, in every acknowledgement mode.
  test.each(["on-read", "on-processed", "on-arrival"] as const)(
    "drops unread text after close, %s (RFC 9293 3.10.4)",
    (acknowledge) => {
      const t = inFinWait2({ profile: "internet", tcp: { acknowledge } });
      t.send({ flags: "F.", data: 100 });
      t.recv({ ack: acknowledge === "on-arrival" ? 102 : 1 });
      t.close();
      if (acknowledge !== "on-arrival") t.recv({ ack: 102 });
      t.recvNothing();
      expect(t.state).toBe("TIME-WAIT");
      expect(t.tcb.receive.readable).toBe(0);
    },
  );

  // The oldest is evicted.
  test("is bounded in number (RFC 9293 3.6.1)", () => {
    const t = listening({ maxTimeWait: 2 });
    for (const remotePort of [1, 2]) {
      const other = t.other({ remotePort });
      other.send(SYN);
      other.recv({ flags: "S.", ack: 1 });
      other.send();
      other.closeWrite();
      other.recv({ flags: "F." });
      other.send({ flags: "F." });
      other.recv({ ack: 2 });
      expect(other.state).toBe("TIME-WAIT");
    }
    expect(t.isForgotten).toBe(true);
    expect(t.wire.stack.tcp.connectionCount).toBe(2);
  });
});
