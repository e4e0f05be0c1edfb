import { expect, test } from "bun:test";
import { PROFILES } from "../../core/tcp/config.ts";
import { currentRto, sampleRtt } from "../../core/tcp/recovery/rtt.ts";
import { inEstablished, inSynReceived } from "../support/dsl/builders.ts";
import { encodeIcmp, encodeUdp } from "../support/dsl/encode.ts";
import { freshTcb } from "../support/fresh_tcb.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// R = 100: SRTT 100, RTTVAR 50. Then 200: RTTVAR 3/4 * 50 + 1/4 * 100, SRTT 7/8 * 100 + 1/8 * 200.
row(158, "RTO comes from SRTT and RTTVAR", () => {
  const tcb = freshTcb({ minRtoMs: 0 });
  sampleRtt(tcb, 100);
  expect([tcb.srttUs, tcb.rttvarUs, currentRto(tcb)]).toEqual([100_000, 50_000, 300]);
  sampleRtt(tcb, 200);
  expect([tcb.srttUs, tcb.rttvarUs, currentRto(tcb)]).toEqual([112_500, 62_500, 362.5]);
  sampleRtt(tcb, 112.5);
  expect([tcb.srttUs, tcb.rttvarUs]).toEqual([112_500, 46_875]);
});
row(
  158,
  "RTO comes from SRTT and RTTVAR",
  "of a connection",
  `0    listen
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.4  < . 1:1(0) ack 1
  +0   accept
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +1.2 > P. 1:11(10) ack 1`,
);

// The SYN,ACK is retransmitted after 1 s; with an RTT of 10 ms the minimum of 200 ms applies.
row(
  159,
  "the first RTO is 1 s, and there is a floor",
  `0    listen
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +1   > S. 0:0(0) ack 1`,
);
row(
  159,
  "the first RTO is 1 s, and there is a floor",
  "floor",
  `${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.2~.22 > P. 1:11(10) ack 1`,
);
row(
  159,
  "the first RTO is 1 s, and there is a floor",
  "floor of RFC 6298",
  `set minRtoMs=1000
  ${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +1~1.02 > P. 1:11(10) ack 1`,
);

// The ACK arrives 300 ms after the first and 90 ms after the second transmission: neither is a
// sample.
row(
  160,
  "a retransmitted segment gives no RTT sample unless it has timestamps",
  `${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.2~.22 > P. 1:11(10) ack 1
  +.09 < . 1:1(0) ack 11
  +0   expect srtt 10`,
);

// TSecr identifies the second transmission, 90 ms ago.
row(
  160,
  "a retransmitted segment gives no RTT sample unless it has timestamps",
  "timestamps",
  `${accepted("mss 1000,TS val 100 ecr 0")}
  +0   write 10
  +0   > P. 1:11(10) ack 1 <TS val 10 ecr 110>
  +.21 > P. 1:11(10) ack 1 <TS val 220 ecr 110>
  +.09 < . 1:1(0) ack 11 <TS val 400 ecr 220>
  +0   expect srtt 20`,
);

// 0.21 s, 0.42 s, …, 53.76 s, then 60 s each time.
row(
  161,
  "RTO doubles at each timeout, up to 60 s at least",
  `${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.21 > P. 1:11(10) ack 1
  +.42 > P. 1:11(10) ack 1
  +.84 > P. 1:11(10) ack 1
  +1.68 > P. 1:11(10) ack 1
  +3.36 > P. 1:11(10) ack 1
  +6.72 > P. 1:11(10) ack 1
  +13.44 > P. 1:11(10) ack 1
  +26.88 > P. 1:11(10) ack 1
  +53.76 > P. 1:11(10) ack 1
  +60    > P. 1:11(10) ack 1
  +60    > P. 1:11(10) ack 1`,
);

// Two timeouts, then an ACK: the RTO of the next segment is that of the first.
row(
  162,
  "an ACK of new data clears the backoff",
  `${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.21 > P. 1:11(10) ack 1
  +.42 > P. 1:11(10) ack 1
  +.01 < . 1:1(0) ack 11
  +0   write 10
  +0   > P. 11:21(10) ack 1
  +.2~.22 > P. 11:21(10) ack 1`,
);

// 100 ms after two segments the first is acknowledged, which restarts the timer for the second.
row(
  163,
  "an ACK of new data restarts the timer, of all data stops it",
  "restart",
  `${accepted("mss 1000")}
  +0   write 2000
  +0   > . 1:2001(2000) ack 1 x1000
  +.1  < . 1:1(0) ack 1001
  +.2~.4 > P. 1001:2001(1000) ack 1`,
);
row(
  163,
  "an ACK of new data restarts the timer, of all data stops it",
  "stop",
  `${accepted("mss 1000")}
  +0   write 2000
  +0   > . 1:2001(2000) ack 1 x1000
  +.1  < . 1:1(0) ack 2001
  +600 expect state ESTABLISHED`,
);

// Of three segments, only the first is retransmitted.
row(
  164,
  "on a timeout the earliest segment is retransmitted",
  `${accepted("mss 1000")}
  +0   write 3000
  +0   > . 1:3001(3000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1`,
);

// The retransmitted segment is acknowledged with the next, then half of the rest.
row(
  165,
  "after a timeout only unacknowledged data is retransmitted",
  `${accepted("mss 1000")}
  +0   write 4000
  +0   > . 1:4001(4000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001
  +0   > . 1001:3001(2000) ack 1 x1000
  +.01 < . 1:1(0) ack 3001
  +0   > P. 3001:4001(1000) ack 1
  +.01 < . 1:1(0) ack 4001
  +1   expect state ESTABLISHED`,
);

// The original segments were only delayed.
row(
  166,
  "a late ACK of more than was retransmitted leaves nothing to retransmit",
  `${accepted("mss 1000")}
  +0   write 4000
  +0   > . 1:4001(4000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 4001
  +1   write 10
  +0   > P. 4001:4011(10) ack 1`,
);

// Text written after the loss follows the lost data.
row(
  167,
  "data written during recovery is sent after it, in order",
  `${accepted("mss 1000")}
  +0   write 2000
  +0   > . 1:2001(2000) ack 1 x1000
  +.21 > . 1:1001(1000) ack 1
  +0   write 2000
  +.01 < . 1:1(0) ack 1001
  +0   > . 1001:3001(2000) ack 1 x1000
  +.01 < . 1:1(0) ack 3001
  +0   > P. 3001:4001(1000) ack 1`,
);

// Two duplicates do not postpone the timeout.
row(
  168,
  "a duplicate ACK does not restart the timer",
  `set congestion=newreno
  ${accepted("mss 1000", 3000)}
  +0   write 3000
  +0   > . 1:3001(3000) ack 1 x1000
  +.1  < . 1:1(0) ack 1 win 3000
  +.05 < . 1:1(0) ack 1 win 3000
  +.06 > . 1:1001(1000) ack 1`,
);

// R2 is 900 s by default, and 2 s here. A RST informs the peer in case it is alive.
row(
  169,
  "after R2 the connection ends and the user gets an error",
  `set userTimeoutMs=2000
  ${accepted("mss 1000")}
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.21 > P. 1:11(10) ack 1
  +.42 > P. 1:11(10) ack 1
  +.84 > P. 1:11(10) ack 1
  +.5~1.7 > R. 11:11(0) ack 1
  +0   expect state CLOSED
  +0   expect error TIMED_OUT`,
);
row(169, "after R2 the connection ends and the user gets an error", "default", () => {
  // RFC 9293 3.8.3, SHLD-11: at least 100 seconds.
  expect(PROFILES.internet.userTimeoutMs).toBeGreaterThanOrEqual(100_000);
});

// 1 s for this connection, the default for others.
row(
  170,
  "the user sets the timeout of a connection",
  `${accepted("mss 1000")}
  +0   userTimeout 1
  +0   write 10
  +0   > P. 1:11(10) ack 1
  +.21 > P. 1:11(10) ack 1
  +.42 > P. 1:11(10) ack 1
  +.2~.9 > R. 11:11(0) ack 1
  +0   expect error TIMED_OUT`,
);

// Every datagram has DF set, so that its identification is irrelevant (RFC 6864 4.1): text, its
// retransmission, RST, echo reply and ICMP error. The decoder refuses any other.
row(171, "IPv4 identification is unique, or the datagrams are atomic", () => {
  const t = inEstablished(internet);
  t.write(10);
  t.recv({ flags: "P.", length: 10 });
  t.recv({ at: 210, flags: "P.", seq: 1, length: 10 });
  t.other({ localPort: 81 }).send({ seq: 1 });
  const echo = { type: 8, code: 0, rest: 1, body: new Uint8Array(10) };
  t.wire.inject(encodeIcmp(t.remote, t.local, echo));
  t.wire.inject(encodeUdp(t.remote, t.local, 5000, 5001, new Uint8Array(10)));
  expect(t.wire.unread.map(({ packet }) => packet.protocol)).toEqual(["tcp", "icmp", "icmp"]);
  t.wire.unread.length = 0;
  inSynReceived(internet);
});

// The ACK echoes the first transmission's timestamp: it was in flight when the timer expired.
row(
  172,
  "a spurious timeout is detected and undone",
  "timestamps",
  `${accepted("mss 1012,TS val 100 ecr 0")}
  +0   write 10000
  +0   > . 1:10001(10000) ack 1 x1000
  +0   expect cwnd 10000
  +.21 > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001 <TS val 400 ecr 10>
  +.01 < . 1:1(0) ack 10001 <TS val 410 ecr 10>
  +0   ignoreAcks
  +0   expect ssthresh Infinity
  +0   write 10000
  +0   > . 10001:20001(10000) ack 1 x1000`,
);
