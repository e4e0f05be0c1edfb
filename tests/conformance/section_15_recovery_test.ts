import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

/** Ten segments of 1,000 bytes are in flight, and more is written; the RTT is 10 ms. */
function inFlight(options = "mss 1000,sackOK", written = 10_000): string {
  return `${accepted(options)}
  +0   write ${written}
  +0   > . 1:10001(10000) ack 1 x1000`;
}

// The first segment is missing; each of the others draws a duplicate ACK.
row(
  173,
  "the third duplicate ACK retransmits SND.UNA at once",
  `${inFlight("mss 1000")}
  +.01 < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 10001`,
);

// A window update, text, and an ACK with nothing in flight are not duplicates.
row(
  174,
  "what counts as a duplicate ACK",
  `${accepted("mss 1000")}
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   write 5000
  +0   > . 1:5001(5000) ack 1 x1000
  +.01 < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1 win 60000
  +0   < P. 1:101(100) ack 1 win 60000
  +0   < . 101:101(0) ack 1 win 60000
  +.01 < . 101:101(0) ack 1 win 60000
  +0   > . 1:1001(1000) ack 101`,
);

// Two segments beyond the congestion window, then the third duplicate.
row(
  175,
  "the first two duplicate ACKs each allow a new segment",
  "without SACK",
  `${inFlight("mss 1000", 15_000)}
  +.01 < . 1:1(0) ack 1
  +0   > . 10001:11001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 11001:12001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1`,
);
row(
  175,
  "the first two duplicate ACKs each allow a new segment",
  "with SACK",
  `${inFlight("mss 1000,sackOK", 15_000)}
  +.01 < . 1:1(0) ack 1 <sack 1001:2001>
  +0   > . 10001:11001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:3001>
  +0   > . 11001:12001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:4001>
  +0   > . 1:1001(1000) ack 1`,
);

// Three gaps are reported twice, but each is retransmitted once.
row(
  176,
  "sacked data is not retransmitted, each lost segment is retransmitted once",
  `${inFlight()}
  +.01 < . 1:1(0) ack 1 <sack 1001:2001 3001:4001 5001:10001>
  +0   > . 1:1001(1000) ack 1
  +0   > . 2001:3001(1000) ack 1
  +0   > . 4001:5001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:2001 3001:4001 5001:10001>
  +.01 < . 1:1(0) ack 10001
  +1   expect state ESTABLISHED`,
);

// One ACK reports three segments.
row(
  177,
  "3 sacked segments start recovery, even with fewer ACKs",
  `${inFlight()}
  +.01 < . 1:1(0) ack 1 <sack 1001:4001>
  +0   > . 1:1001(1000) ack 1`,
);

// 3,001 was lost too: ssthresh keeps its value from the first loss.
row(
  178,
  "recovery is not entered again for the same window",
  `set congestion=newreno
  ${inFlight("mss 1000")}
  +.01 < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1
  +0   expect ssthresh 5000
  +.01 < . 1:1(0) ack 3001
  +0   > . 3001:4001(1000) ack 1
  +0   < . 1:1(0) ack 3001
  +0   < . 1:1(0) ack 3001
  +0   < . 1:1(0) ack 3001
  +0   < . 1:1(0) ack 3001
  +0   expect ssthresh 5000
  +.01 < . 1:1(0) ack 10001
  +1   expect ssthresh 5000`,
);

// Without waiting for duplicates: 3,001 is next, then 5,001.
row(
  179,
  "a partial ACK retransmits the next lost segment at once",
  `${inFlight("mss 1000")}
  +.01 < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 3001
  +0   > . 3001:4001(1000) ack 1
  +.01 < . 1:1(0) ack 5001
  +0   > . 5001:6001(1000) ack 1
  +.01 < . 1:1(0) ack 10001`,
);

// The old ACK was overtaken by the ACK of 2,001.
row(
  180,
  "SACK blocks on an old ACK count",
  `${inFlight()}
  +.01 < . 1:1(0) ack 2001
  +0   < . 1:1(0) ack 1001 <sack 3001:6001>
  +0   > . 2001:3001(1000) ack 1`,
);

// The blocks are beyond the data sent, reversed, empty, or very old.
row(
  181,
  "SACK blocks out of range do no harm",
  `${inFlight()}
  +.005 < . 1:1(0) ack 1 <sack 9001:20001>
  +0    < . 1:1(0) ack 1 <sack 20001:30001 1000000:2000000>
  +0    < . 1:1(0) ack 1 <sack 5001:2001>
  +0    < . 1:1(0) ack 1 <sack 2001:2001>
  +0    < . 1:1(0) ack 1 <sack -2000000000:2000000000>
  +0    < . 1:1(0) ack 1 <sack -2000:-1000>
  +.005 < . 1:1(0) ack 10001
  +1    write 1000
  +0    > P. 10001:11001(1000) ack 1`,
);

// One of 12 is lost: nothing is sent until half the window is left in flight, then one segment per
// ACK.
row(
  182,
  "PRR paces recovery",
  "proportional",
  `set congestion=newreno
  ${inFlight("mss 1000,sackOK", 40_000)}
  +.01 < . 1:1(0) ack 1 <sack 1001:2001>
  +0   > . 10001:11001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:3001>
  +0   > . 11001:12001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:4001>
  +0   > . 1:1001(1000) ack 1
  +0   expect ssthresh 6000
  +0   < . 1:1(0) ack 1 <sack 1001:5001>
  +0   < . 1:1(0) ack 1 <sack 1001:6001>
  +0   < . 1:1(0) ack 1 <sack 1001:7001>
  +0   < . 1:1(0) ack 1 <sack 1001:8001>
  +0   > . 12001:13001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:9001>
  +0   > . 13001:14001(1000) ack 1
  +0   < . 1:1(0) ack 1 <sack 1001:10001>
  +0   > . 14001:15001(1000) ack 1
  +.01 < . 1:1(0) ack 12001
  +0   > . 15001:18001(3000) ack 1 x1000
  +0   expect cwnd 6000`,
);

// Seven of ten are lost: sending is limited by delivered data (RFC 9937), not five segments at
// once.
row(
  182,
  "PRR paces recovery",
  "slow start",
  `set congestion=newreno
  ${inFlight()}
  +.01 < . 1:1(0) ack 1 <sack 7001:10001>
  +0   > . 1:3001(3000) ack 1 x1000
  +.01 < . 1:1(0) ack 1001 <sack 7001:10001>
  +0   > . 3001:5001(2000) ack 1 x1000
  +0   < . 1:1(0) ack 2001 <sack 7001:10001>
  +0   > . 5001:7001(2000) ack 1 x1000`,
);

// Six of ten may be reordered, and a later segment arrives: when the timer marks them lost, one is
// retransmitted, then one for each SACK, and two when the first gap is filled.
row(
  247,
  "delivered data allows sending during recovery, data marked lost does not",
  "RACK's timer",
  `${inFlight()}
  +.01   < . 1:1(0) ack 1 <sack 7001:8001>
  +.0025 > . 1:1001(1000) ack 1
  +0     < . 1:1(0) ack 1 <sack 7001:9001>
  +0     > . 1001:2001(1000) ack 1
  +0     < . 1:1(0) ack 1 <sack 7001:10001>
  +0     > . 2001:3001(1000) ack 1
  +.0075 < . 1:1(0) ack 1001 <sack 7001:10001>
  +0     > . 3001:5001(2000) ack 1 x1000`,
);

// During recovery too: three more lost segments allow no sending, delivered ones do.
row(
  247,
  "delivered data allows sending during recovery, data marked lost does not",
  "after a timeout",
  `set congestion=newreno
  ${inFlight("mss 1000,sackOK")}
  +.022 > P. 9001:10001(1000) ack 1
  +.21  > . 1:1001(1000) ack 1
  +.01  < . 1:1(0) ack 1001
  +0    > . 1001:3001(2000) ack 1 x1000
  +.01  < . 1:1(0) ack 3001
  +0    > . 3001:7001(4000) ack 1 x1000
  +.01  < . 1:1(0) ack 3001 <sack 6001:7001>
  +0    > . 3001:4001(1000) ack 1
  +.01  < . 1:1(0) ack 4001 <sack 6001:7001>
  +0    > . 4001:6001(2000) ack 1 x1000`,
);

// Without SACK, seven duplicates stand for seven segments. The ACK of 4,001 covers three of them,
// so four have left the network. Six may be in flight, so two are sent.
row(
  247,
  "delivered data allows sending during recovery, data marked lost does not",
  "without SACK",
  `set congestion=newreno
  ${inFlight("mss 1000", 40_000)}
  +.01 < . 1:1(0) ack 1
  +0   > . 10001:11001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 11001:12001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 1:1001(1000) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   > . 12001:13001(1000) ack 1
  +.01 < . 1:1(0) ack 4001
  +0   > . 4001:5001(1000) ack 1
  +0   > . 13001:14001(1000) ack 1`,
);

// The second segment was sent 15 ms after the first and has arrived; the first has not.
row(
  183,
  "RACK: a segment sent well before a delivered one is lost",
  `${accepted()}
  +0    write 1000
  +0    > P. 1:1001(1000) ack 1
  +.015 write 1000
  +0    > P. 1001:2001(1000) ack 1
  +.01  < . 1:1(0) ack 1 <sack 1001:2001>
  +0    > . 1:1001(1000) ack 1`,
);

// 2 ms later the first arrives; a quarter of the RTT is 2.5 ms.
row(
  184,
  "RACK: reordering within the window retransmits nothing",
  `${accepted()}
  +0    write 2000
  +0    > . 1:2001(2000) ack 1 x1000
  +.01  < . 1:1(0) ack 1 <sack 1001:2001>
  +.002 < . 1:1(0) ack 2001
  +1    expect state ESTABLISHED`,
);

// The first time, the segment was wrongly marked lost after 2.5 ms; the next time after 5.
row(
  185,
  "RACK: D-SACK widens the reordering window",
  `${accepted()}
  +0     write 2000
  +0     > . 1:2001(2000) ack 1 x1000
  +.01   < . 1:1(0) ack 1 <sack 1001:2001>
  +.0025 > . 1:1001(1000) ack 1
  +.001  < . 1:1(0) ack 2001
  +.01   < . 1:1(0) ack 2001 <sack 1:1001>
  +.1    write 2000
  +0     > . 2001:4001(2000) ack 1 x1000
  +.01   < . 1:1(0) ack 2001 <sack 3001:4001>
  +.005  > . 2001:3001(1000) ack 1`,
);

// The same range as the second block is not a D-SACK.
row(
  185,
  "RACK: D-SACK widens the reordering window",
  "first block only",
  `${accepted()}
  +0     write 2000
  +0     > . 1:2001(2000) ack 1 x1000
  +.01   < . 1:1(0) ack 1 <sack 1001:2001>
  +.0025 > . 1:1001(1000) ack 1
  +.001  < . 1:1(0) ack 2001
  +.1    write 2000
  +0     > . 2001:4001(2000) ack 1 x1000
  +.01   < . 1:1(0) ack 2001 <sack 3001:4001 1:1001>
  +.0025 > . 2001:3001(1000) ack 1`,
);

// A window of 5,000 bytes, all in flight: sacked segments do not free it.
row(
  186,
  "recovery never sends beyond the receive window",
  `${accepted("mss 1000,sackOK", 5000)}
  +0    write 10000
  +0    > . 1:5001(5000) ack 1 x1000
  +.01  < . 1:1(0) ack 1 win 5000 <sack 1001:4001>
  +0    > . 1:1001(1000) ack 1
  +0    < . 1:1(0) ack 1 win 5000 <sack 1001:5001>
  +.01  < . 1:1(0) ack 5001 win 5000
  +0    > . 5001:8001(3000) ack 1 x1000`,
);

// Data sent after the retransmission has arrived, but the retransmission has not.
row(
  187,
  "RACK: a lost retransmission is retransmitted without a timeout",
  `${inFlight("mss 1000,sackOK", 20_000)}
  +.01  < . 1:1(0) ack 1 <sack 1001:6001>
  +0    > . 1:1001(1000) ack 1
  +0    > . 10001:12001(2000) ack 1 x1000
  +.02  < . 1:1(0) ack 1 <sack 1001:12001>
  ignorePush
  +0    > . 1:1001(1000) ack 1
  +0    > . 12001:18001(6000) ack 1 x1000`,
);

// 2 * 10 ms and 2 ms of slack after the last of several segments was sent.
row(
  188,
  "TLP: the last segment is probed after 2 SRTT",
  "the last segment",
  `${accepted()}
  +0    write 2000
  +0    > . 1:2001(2000) ack 1 x1000
  +.022 > P. 1001:2001(1000) ack 1`,
);
row(
  188,
  "TLP: the last segment is probed after 2 SRTT",
  "new text",
  `${inFlight("mss 1000,sackOK", 11_000)}
  +.022 > P. 10001:11001(1000) ack 1`,
);

// The probe is not answered either: the first segment is retransmitted when the timer expires.
row(
  189,
  "TLP: one probe per tail, then RTO",
  `${accepted()}
  +0    write 2000
  +0    > . 1:2001(2000) ack 1 x1000
  +.022 > P. 1001:2001(1000) ack 1
  +.21  > . 1:1001(1000) ack 1
  +.42  > . 1:1001(1000) ack 1`,
);

// A single segment: its probe would be due after the timeout, and replaces it; the timeout follows.
row(
  246,
  "a tail loss probe replaces an RTO due at the same time, which restarts",
  "in the RTO's place",
  `${accepted()}
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1
  +.21 > P. 1:1001(1000) ack 1
  +0   expect cwnd 10000
  +.21 > P. 1:1001(1000) ack 1
  +0   expect cwnd 1000
  +.42 > P. 1:1001(1000) ack 1`,
);

// The timer starts with the first segment: text written 200 ms later does not postpone it.
row(
  246,
  "a tail loss probe replaces an RTO due at the same time, which restarts",
  "the running timer",
  `${accepted()}
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1
  +.2  write 1000
  +0   > P. 1001:2001(1000) ack 1
  +.01 > P. 1001:2001(1000) ack 1
  +.21 > . 1:1001(1000) ack 1`,
);

// New data as the probe: until its end is acknowledged, no other probe is sent.
row(
  246,
  "a tail loss probe replaces an RTO due at the same time, which restarts",
  "new text",
  `${inFlight("mss 1000,sackOK", 12_000)}
  +.022 > . 10001:11001(1000) ack 1
  +.01  < . 1:1(0) ack 10001
  +0    > P. 11001:12001(1000) ack 1
  +.1   expect cwnd 18000
  +.01  < . 1:1(0) ack 12001`,
);

// The gap is repaired after 2.5 ms. The repair is lost: one probe follows, then the timer expires.
row(
  190,
  "TLP: no probe while there are gaps, until recovery has begun",
  `${accepted()}
  +0     write 3000
  +0     > . 1:3001(3000) ack 1 x1000
  +.01   < . 1:1(0) ack 1 <sack 1001:2001>
  +.0025 > . 1:1001(1000) ack 1
  +.022  > . 1:1001(1000) ack 1
  +.1~.3 > . 1:1001(1000) ack 1`,
);

// The original segment had only been delayed.
row(
  191,
  "TLP: a D-SACK of the probe does not reduce the window",
  `${accepted()}
  +0    write 2000
  +0    > . 1:2001(2000) ack 1 x1000
  +.022 > P. 1001:2001(1000) ack 1
  +.001 < . 1:1(0) ack 2001
  +.01  < . 1:1(0) ack 2001 <sack 1001:2001>
  +1    expect ssthresh Infinity
  +0    expect cwnd 10000`,
);

// The duplicate is below the acknowledgement, or inside an out-of-order block.
row(
  192,
  "duplicate text is reported by D-SACK",
  `${accepted()}
  +0 < . 1:101(100) ack 1
  +0 < . 1:101(100) ack 1
  +0 > . 1:1(0) ack 101 <sack 1:101>
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 101 <sack 201:301>
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 101 <sack 201:301 201:301>
  +0 < . 51:151(100) ack 1
  +0 > . 1:1(0) ack 151 <sack 51:101 201:301>`,
);
