import { describe, expect, test } from "bun:test";
import { currentRto } from "../../../../core/tcp/recovery/rtt.ts";
import { inCloseWait, inEstablished, inFinWait1 } from "../../../support/dsl/builders.ts";

/** Without SACK there is no tail loss probe; an RTT of 10 ms gives an RTO of 210 ms. */
const PLAIN = { syn: { mss: 1000 } };

describe("retransmission timeout", () => {
  // SRTT of 10 ms plus the larger of 200 ms and 4 * RTTVAR; doubled each time.
  test("doubles each time (RFC 6298 5.5)", () => {
    const t = inEstablished(PLAIN);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    for (const at of [210, 630, 1470, 3150]) {
      t.recv({ at, flags: "P.", seq: 1, length: 100 });
    }
    t.send({ ack: 101 });
    t.at(60_000);
    t.recvNothing();
  });

  // The first sample is SRTT, half of it RTTVAR.
  test("is computed from the RTT of the handshake (RFC 6298 2.2)", () => {
    const t = inEstablished({ ...PLAIN, rtt: 400 });
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.recv({ at: 1200, flags: "P.", seq: 1, length: 100 });
  });

  // 7/8 of the old and 1/8 of the new: SRTT 11.25, RTTVAR 5 * 3/4 + 10 * 1/4 = 6.25.
  test("is updated by later samples (RFC 6298 2.3)", () => {
    const t = inEstablished(PLAIN);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.send({ at: 20, ack: 101 });
    expect(t.tcb.srttUs).toBe(11_250);
    expect(t.tcb.rttvarUs).toBe(6_250);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.recv({ at: 231.25, flags: "P.", seq: 101, length: 100 });
  });

  // The maximum is a minute.
  test("is at most a minute (RFC 6298 2.5)", () => {
    const t = inEstablished(PLAIN);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    let at = 0;
    for (let i = 0; i < 9; i++) {
      at += 210 * 2 ** i;
      t.recv({ at, flags: "P.", seq: 1, length: 100 });
    }
    t.recv({ at: at + 60_000, flags: "P.", seq: 1, length: 100 });
    expect(210 * 2 ** 9).toBeGreaterThan(60_000);
  });

  // Karn's algorithm: the ACK may be for either transmission.
  test("takes no sample from retransmitted segments (RFC 6298 3)", () => {
    const t = inEstablished(PLAIN);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.recv({ at: 210, flags: "P.", seq: 1, length: 100 });
    t.send({ at: 215, ack: 101 });
    expect(t.tcb.srttUs).toBe(10_000);
  });

  // A duplicate ACK does not acknowledge new data, so the RTO stays doubled.
  test("keeps its backoff until new data is acknowledged (RFC 6298 5)", () => {
    const t = inEstablished(PLAIN);
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.recv({ at: 210, flags: "P.", seq: 1, length: 100 });
    t.send({ at: 220, ack: 1 });
    t.recv({ at: 630, flags: "P.", seq: 1, length: 100 });
    t.send({ at: 640, ack: 101 });
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    t.recv({ at: 850, flags: "P.", seq: 101, length: 100 });
  });

  // The timer is for the oldest segment: an ACK of new data restarts it.
  test("restarts with each ACK of new data (RFC 6298 5.3)", () => {
    const t = inEstablished(PLAIN);
    t.write(2000);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    t.send({ at: 100, ack: 1001 });
    const rto = currentRto(t.tcb);
    t.recv({ at: 100 + rto, flags: "P.", seq: 1001, length: 1000 });
  });

  // Everything counts as lost, and one segment is sent; its ACK allows the next ones.
  test("sends one segment and continues with the ACK (RFC 5681 3.1)", () => {
    const t = inEstablished(PLAIN);
    t.write(4000);
    for (let i = 0; i < 3; i++) t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    t.recv({ at: 210, seq: 1, length: 1000 });
    t.recvNothing();
    t.send({ at: 220, ack: 1001 });
    t.recv({ seq: 1001, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    t.send({ at: 230, ack: 4001 });
    t.recvNothing();
    expect(t.tcb.scoreboard.isEmpty).toBe(true);
  });

  // The peer has received more than assumed: acknowledged data is not retransmitted.
  test("does not retransmit data acknowledged in the meantime (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished(PLAIN);
    t.write(3000);
    t.recvAll();
    t.recv({ at: 210, seq: 1, length: 1000 });
    t.send({ at: 220, ack: 3001 });
    t.at(5000);
    t.recvNothing();
  });

  // The peer acknowledges half a segment; the other half is retransmitted.
  test("resumes in the middle of a segment (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished(PLAIN);
    t.write(1000);
    t.recv({ flags: "P.", length: 1000 });
    t.send({ at: 100, ack: 501 });
    t.recv({ at: 100 + currentRto(t.tcb), flags: "P.", seq: 501, length: 500 });
  });
});

describe("FIN", () => {
  // A FIN is retransmitted like text.
  test("is retransmitted in FIN-WAIT-1 (RFC 9293 3.10.4)", () => {
    const t = inFinWait1(PLAIN);
    t.recv({ at: 210, flags: "F.", seq: 1 });
    t.recv({ at: 630, flags: "F.", seq: 1 });
    t.send({ ack: 2 });
    expect(t.state).toBe("FIN-WAIT-2");
  });

  // In profile `local` CLOSE-WAIT leads to CLOSING, in `internet` to LAST-ACK: the FIN is the same.
  test.each(["local", "internet"] as const)(
    "is retransmitted after CLOSE-WAIT in profile %s (RFC 9293 3.10.4)",
    (profile) => {
      const t = inCloseWait({ ...PLAIN, profile });
      t.closeWrite();
      t.recv({ flags: "F.", seq: 1 });
      t.recv({ at: 210, flags: "F.", seq: 1 });
    },
  );

  // The FIN was sent with the last text, and is retransmitted with it.
  test("is retransmitted with its text (RFC 9293 3.10.4)", () => {
    const t = inEstablished({ ...PLAIN, window: 1000 });
    t.write(1500);
    t.closeWrite();
    t.recv({ length: 1000 });
    t.send({ at: 10, ack: 1001 });
    t.recv({ flags: "FP.", seq: 1001, length: 500 });
    t.recv({ at: 10 + currentRto(t.tcb), flags: "FP.", seq: 1001, length: 500 });
    t.send({ ack: 1501 });
    const at = t.wire.elapsed + currentRto(t.tcb);
    t.recv({ at, flags: "F.", seq: 1501 });
  });

  // The peer retransmits its FIN if the ACK was lost, in each state after it.
  test("of the peer is acknowledged again (RFC 9293 3.10.7.4, eighth)", () => {
    const t = inCloseWait();
    t.send({ at: 300, flags: "F.", seq: 1 });
    t.recv({ ack: 2 });
    t.closeWrite();
    t.recv({ flags: "F.", seq: 1 });
    t.send({ at: 310, flags: "F.", seq: 1, ack: 1 });
    t.recv({ ack: 2 });
  });
});

describe("giving up", () => {
  // The peer is silent for the user timeout; the RST informs it in case it is still alive.
  test("happens after the user timeout (RFC 9293 3.8.3)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { userTimeoutMs: 3000 } });
    t.write(100);
    t.recv({ flags: "P.", length: 100 });
    for (const at of [210, 630, 1470]) t.recv({ at, flags: "P.", seq: 1, length: 100 });
    t.recv({ at: 3150, flags: "R.", seq: 101 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe("TIMED_OUT");
    expect(t.isForgotten).toBe(true);
  });

  // For a closed connection two minutes are enough, since nothing waits for it.
  test("happens earlier for a closed connection (RFC 9293 3.8.3)", () => {
    const t = inEstablished({ ...PLAIN, tcp: { orphanTimeoutMs: 1000 } });
    t.close();
    t.recv({ flags: "F." });
    for (const at of [210, 630]) t.recv({ at, flags: "F.", seq: 1 });
    t.recv({ at: 1470, flags: "R.", seq: 2 });
    expect(t.tcb.error).toBe("TIMED_OUT");
  });
});
