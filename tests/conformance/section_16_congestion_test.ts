import { expect, test } from "bun:test";
import type { AckSample } from "../../core/tcp/congestion/control.ts";
import { Cubic } from "../../core/tcp/congestion/cubic.ts";
import { inEstablished } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

/** Acknowledges a window of segments. */
function acknowledged(bytes: number, now: number, rest: Partial<AckSample> = {}): AckSample {
  return {
    bytes,
    now,
    srtt: 100,
    rtt: 100,
    sndUna: 0,
    sndNxt: 0,
    inFlight: 0,
    rate: undefined,
    limited: true,
    hasSack: true,
    growthLimit: 8,
    ...rest,
  };
}

/** CUBIC after a loss at `segments` segments of 1,000 bytes. */
function cubicAfterLoss(segments: number): Cubic {
  const cubic = new Cubic(1000);
  cubic.cwnd = segments * 1000;
  cubic.onLoss(segments * 1000);
  return cubic;
}

/** Advances by a round trip, segment by segment. */
function roundTrip(cubic: Cubic, now: number, srtt = 100): void {
  const segments = Math.floor(cubic.cwnd / 1000);
  for (let i = 0; i < segments; i++) {
    cubic.onAck(acknowledged(1000, now + (i * srtt) / segments, { srtt, rtt: srtt }));
  }
}

// Ten segments of 1,000 or 1,460 bytes; larger ones up to 14,600 bytes, but at least two.
for (const [mss, segments] of [[536, 10], [1460, 10], [3000, 4], [8960, 2]] as const) {
  row(193, "the initial window is at most 10 segments", `MSS ${mss}`, () => {
    const t = inEstablished({
      ...internet,
      mtu: 9000,
      syn: { mss, windowScale: 7 },
      tcp: { noDelay: false },
    });
    t.write(100_000);
    for (let i = 0; i < segments; i++) t.recv({ length: mss });
    t.recvNothing();
  });
}

// Each acknowledged segment allows two, whether ACKs are for one or two.
row(
  194,
  "slow start: cwnd grows by the acknowledged bytes",
  `${accepted("mss 1000")}
  +0   write 40000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 1001
  +0   > . 10001:12001(2000) ack 1 x1000
  +0   < . 1:1(0) ack 3001
  +0   > . 12001:16001(4000) ack 1 x1000
  +0   < . 1:1(0) ack 10001
  +0   > . 16001:30001(14000) ack 1 x1000
  +0   expect cwnd 20000`,
);

// After a loss at ten segments Reno has five, then six, then seven.
row(
  195,
  "congestion avoidance: one MSS per round trip, or the cubic curve",
  "Reno",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   write 40000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 1
  +0   > . 10001:11001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 11001:12001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1
  +0   expect ssthresh 6000
  +.01 < . 1:1(0) ack 12001
  +0   > . 12001:18001(6000) ack 1 x1000
  +.01 < . 1:1(0) ack 18001
  +0   > . 18001:25001(7000) ack 1 x1000
  +.01 < . 1:1(0) ack 25001
  +0   > . 25001:33001(8000) ack 1 x1000`,
);

// W(t) = 0.4 (t - K)^3 + 100 with K the cube root of (100 - 70) / 0.4: after K seconds it is 100
// again, and it is flat there.
row(195, "congestion avoidance: one MSS per round trip, or the cubic curve", "CUBIC", () => {
  const cubic = cubicAfterLoss(100);
  const k = Math.cbrt(30 / 0.4);
  let now = 1_000_000;
  const windows: number[] = [];
  for (let i = 0; i < 80; i++, now += 100) {
    roundTrip(cubic, now);
    windows.push(cubic.cwnd / 1000);
  }
  for (const [i, window] of windows.entries()) {
    const t = (i + 1) / 10;
    const curve = 0.4 * (t - k) ** 3 + 100;
    expect(Math.abs(window - curve)).toBeLessThan(5);
  }
});

// Half of ten for Reno, 0.7 of ten for CUBIC; one segment is sent.
for (const [congestion, ssthresh] of [["newreno", 5000], ["cubic", 7000]] as const) {
  row(
    196,
    "a timeout sets ssthresh, and cwnd to one segment",
    congestion,
    `set congestion=${congestion}
    ${accepted("mss 1000")}
    +0   write 20000
    +0   > . 1:10001(10000) ack 1 x1000
    +.21 > . 1:1001(1000) ack 1
    +0   expect ssthresh ${ssthresh}
    +0   expect cwnd 1000
    +.01 < . 1:1(0) ack 1001
    +0   > . 1001:3001(2000) ack 1 x1000`,
  );
}

// A third timeout keeps it too.
row(
  197,
  "a second timeout of the same segment keeps ssthresh",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   write 10000
  +0   > . 1:10001(10000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +.42 > . 1:1001(1000) ack 1
  +.84 > . 1:1001(1000) ack 1
  +0   expect ssthresh 5000`,
);

// With SACK and without.
for (const options of ["mss 1000,sackOK", "mss 1000"]) {
  const sack = (end: number) => options.includes("sack") ? `<sack 1001:${end}>` : "";
  row(
    198,
    "fast recovery ends with cwnd at ssthresh",
    options,
    `set congestion=newreno
    ${accepted(options)}
    +0   write 10000
    +0   > . 1:10001(10000) ack 1 x1000
    +.01 < . 1:1(0) ack 1 ${sack(2001)}
    +0   < . 1:1(0) ack 1 ${sack(3001)}
    +0   < . 1:1(0) ack 1 ${sack(4001)}
    +0   > . 1:1001(1000) ack 1
    +0   < . 1:1(0) ack 1 ${sack(5001)}
    +.01 < . 1:1(0) ack 10001
    +0   expect cwnd 5000
    +0   write 10000
    +0   > . 10001:15001(5000) ack 1 x1000`,
  );
}

// In slow start, in recovery, and with nothing in flight.
row(
  199,
  "an ACK of no new data neither grows cwnd nor ends recovery",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   < . 1:1(0) ack 1 win 60000
  +0   write 10000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 1 win 59000
  +0   < . 1:1(0) ack 1 win 60000
  +0   expect cwnd 10000
  +0   < . 1:1(0) ack 1 win 60000
  +0   < . 1:1(0) ack 1 win 60000
  +0   < . 1:1(0) ack 1 win 60000
  +0   > . 1:1001(1000) ack 1
  +0   < . 1:1(0) ack 1 win 65000
  +.01 < . 1:1(0) ack 2001
  +0   > . 2001:3001(1000) ack 1
  +0   expect ssthresh 5000`,
);

// 0.7 of the window; fast convergence after a second loss at a smaller window; and growth as fast
// as Reno's if that would be faster, as with a small window and a short RTT.
row(200, "CUBIC: beta 0.7, fast convergence, Reno-friendly region", () => {
  const cubic = cubicAfterLoss(100);
  expect(cubic.ssthresh).toBe(70_000);
  expect(cubic.cwnd).toBe(70_000);

  cubic.onLoss(70_000);
  let now = 1_000_000;
  for (let i = 0; i < 3; i++, now += 1000) roundTrip(cubic, now, 1000);
  // W_max is 70 * 0.85 and not 70: the curve is flat there after 3 s.
  expect(cubic.cwnd).toBeGreaterThan(58_000);
  expect(cubic.cwnd).toBeLessThan(62_000);

  const small = cubicAfterLoss(10);
  now = 1_000_000;
  for (let i = 0; i < 10; i++, now += 100) roundTrip(small, now);
  const reno = 7 + 10 * 3 * 0.3 / 1.7;
  expect(small.cwnd / 1000).toBeGreaterThan(reno * 0.9);
});

// One segment per round trip says nothing about the capacity of the path.
row(
  201,
  "cwnd does not grow while application-limited",
  `${accepted("mss 1000")}
  ${
    [1, 1001, 2001, 3001, 4001].map((seq) => `
  +0   write 1000
  +0   > P. ${seq}:${seq + 1000}(1000) ack 1
  +.01 < . 1:1(0) ack ${seq + 1000}`).join("")
  }
  +0   expect cwnd 10000`,
);

// Ten segments fill the window although no more data waits: after their ACKs 20 may be sent.
row(
  248,
  "the window grows when all of it was used, even if nothing else waited",
  "slow start",
  `${accepted("mss 1000")}
  +0   write 10000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 5001
  +0   < . 1:1(0) ack 10001
  +0   expect cwnd 20000
  +0   write 20000
  +0   > . 10001:30001(20000) ack 1 x1000`,
);

// The same after a timeout: one segment, then two, then four, each time all the data there is.
row(
  248,
  "the window grows when all of it was used, even if nothing else waited",
  "after a timeout",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   write 8000
  +0   > . 1:8001(8000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 8001
  +0   expect cwnd 2000
  +0   write 2000
  +0   > . 8001:10001(2000) ack 1 x1000
  +.01 < . 1:1(0) ack 9001
  +0   < . 1:1(0) ack 10001
  +0   expect cwnd 4000`,
);

// Nine of ten do not fill it, with SACK blocks in between or not.
row(
  248,
  "the window grows when all of it was used, even if nothing else waited",
  "not full",
  `${accepted("mss 1000,sackOK")}
  +0   write 9000
  +0   > . 1:9001(9000) ack 1 x1000
  +.01 < . 1:1(0) ack 5001
  +0   < . 1:1(0) ack 9001
  +0   expect cwnd 10000`,
);

// One ACK of 20 segments allows eight additional ones; two ACKs of ten allow 16.
row(
  254,
  "in slow start without pacing, an ACK opens the window by at most eight segments",
  "one ACK",
  `${accepted("mss 1000")}
  +0   write 10000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 5001
  +0   < . 1:1(0) ack 10001
  +0   write 60000
  +0   ignorePush
  +0   > . 10001:30001(20000) ack 1 x1000
  +.01 < . 1:1(0) ack 30001
  +0   > . 30001:58001(28000) ack 1 x1000`,
);

// Without SACK, an ACK after a timeout may cover data that arrived long before: it opens the window
// by one segment.
row(
  254,
  "in slow start without pacing, an ACK opens the window by at most eight segments",
  "after a timeout without SACK",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   write 20000
  +0   > . 1:10001(10000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 10001
  +0   > . 10001:12001(2000) ack 1 x1000`,
);

// The window goes from 20 segments back to ten.
row(
  202,
  "after idling longer than RTO cwnd is the restart window",
  `${accepted("mss 1000")}
  +0   write 20000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 5001
  +0   > . 10001:20001(10000) ack 1 x1000
  +0   < . 1:1(0) ack 10001
  +.01 < . 1:1(0) ack 20001
  +0   write 20000
  +0   ignorePush
  +0   > . 20001:40001(20000) ack 1 x1000`,
);
row(
  202,
  "after idling longer than RTO cwnd is the restart window",
  "idle",
  `${accepted("mss 1000")}
  +0   write 20000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 5001
  +0   > . 10001:20001(10000) ack 1 x1000
  +0   < . 1:1(0) ack 10001
  +.01 < . 1:1(0) ack 20001
  +.5  write 20000
  +0   > . 20001:30001(10000) ack 1 x1000`,
);

// One segment was in flight: a timeout leaves one and a threshold of two.
row(
  203,
  "cwnd is never below one segment, ssthresh below two",
  `set congestion=newreno
  ${accepted("mss 1000")}
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1
  +.21 > P. 1:1001(1000) ack 1
  +0   expect cwnd 1000
  +0   expect ssthresh 2000
  +.42 > P. 1:1001(1000) ack 1
  +0   expect cwnd 1000
  +.01 < . 1:1(0) ack 1001
  +0   expect cwnd 2000
  +0   write 3000
  +0   > . 1001:3001(2000) ack 1 x1000
  +.01 < . 1:1(0) ack 3001
  +0   > P. 3001:4001(1000) ack 1`,
);

// The RTT rises from 50 to 80 ms in the third round: growth slows down, and after five such rounds
// slow start ends, without loss.
row(204, "HyStart++ leaves slow start when the RTT rises", () => {
  const cubic = new Cubic(1000);
  let sent = 0;
  let acked = 0;
  const round = (rtt: number) => {
    const before = cubic.cwnd;
    const segments = Math.floor(cubic.cwnd / 1000);
    sent += segments * 1000;
    for (let i = 0; i < segments; i++) {
      acked += 1000;
      cubic.onAck(acknowledged(1000, 0, { rtt, srtt: rtt, sndUna: acked, sndNxt: sent }));
    }
    return cubic.cwnd / before;
  };
  expect(round(50)).toBeCloseTo(2, 1);
  expect(round(50)).toBeCloseTo(2, 1);
  round(80);
  expect(round(80)).toBeLessThan(1.3);
  expect(cubic.ssthresh).toBe(Infinity);
  for (let i = 0; i < 6; i++) round(80);
  expect(cubic.ssthresh).toBeLessThan(Infinity);
});

// The SYN requests ECN, and new data is ECN-capable; retransmissions, ACKs and SYNs are not.
row(
  205,
  "ECN: SYN has ECE and CWR, data ECT(0), nothing else does",
  `set ecn=true
  0    connect
  +0   > SEW 0:0(0) <...> [noecn]
  +.01 < SE. 0:0(0) ack 1 win 65535 <mss 1000>
  +0   > . 1:1(0) ack 1 [noecn]
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1 [ect0]
  +.21 > P. 1:1001(1000) ack 1 [noecn]
  +.01 < P. 1:101(100) ack 1001
  +.04 > . 1001:1001(0) ack 101 [noecn]`,
);

// Both bits request ECN, a single one does not; a stack with ECN off does not answer them.
for (
  const [flags, ecn, answer] of [
    ["SEW", true, "SE."],
    ["SEW", false, "S."],
    ["SE", true, "S."],
    ["SW", true, "S."],
  ] as const
) {
  row(
    206,
    "ECN: unusual SYNs are accepted, SYN,ACK has ECE if ECN is on",
    `${flags}, ECN ${ecn ? "on" : "off"}`,
    `set ecn=${ecn}
    0    listen
    +0   < ${flags} 0:0(0) win 65535 <mss 1000>
    +0   > ${answer} 0:0(0) ack 1 [noecn]
    +.01 < . 1:1(0) ack 1
    +0   accept
    +0   write 100
    +0   > P. 1:101(100) ack 1 [${answer === "SE." ? "ect0" : "noecn"}]`,
  );
}

/** ECN is negotiated. */
const WITH_ECN = `set ecn=true congestion=newreno
  0    listen
  +0   < SEW 0:0(0) win 65535 <mss 1000>
  +0   > SE. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1
  +0   accept`;

// Two ACKs of one round trip have ECE: one reduction, by half of the nine in flight.
row(
  207,
  "ECN: ECE cuts cwnd once per round trip, CE is echoed until CWR",
  "ECE",
  `${WITH_ECN}
  +0   write 40000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < E. 1:1(0) ack 1001
  +0   expect cwnd 4500
  +0   < E. 1:1(0) ack 4001
  +0   expect cwnd 4500
  +0   < . 1:1(0) ack 10001
  +0   > W. 10001:11001(1000) ack 1 [ect0]
  +0   > . 11001:15001(4000) ack 1 x1000`,
);

// CE in one segment: every ACK has ECE until a segment has CWR.
row(
  207,
  "ECN: ECE cuts cwnd once per round trip, CE is echoed until CWR",
  "CE",
  `${WITH_ECN}
  +0   < . 1:101(100) ack 1 [ce]
  +0   > E. 1:1(0) ack 101
  +0   < . 101:201(100) ack 1 [ect0]
  +.04 > E. 1:1(0) ack 201
  +0   write 100
  +0   > PE. 1:101(100) ack 201
  +.01 < W. 201:301(100) ack 101 [ect0]
  +.04 > . 101:101(0) ack 301`,
);
