import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

// We close first.
row(
  208,
  "active close: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +0   expect state FIN-WAIT-1
  +.01 < . 1:1(0) ack 2
  +0   expect state FIN-WAIT-2
  +.01 < F. 1:1(0) ack 2
  +0   > . 2:2(0) ack 2
  +0   expect state TIME-WAIT`,
);

// The peer closes first.
row(
  209,
  "passive close: CLOSE-WAIT, LAST-ACK, CLOSED",
  `${accepted()}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +0   expect state CLOSE-WAIT
  +.01 close
  +0   > F. 1:1(0) ack 2
  +0   expect state LAST-ACK
  +.01 < . 2:2(0) ack 2
  +0   expect state CLOSED
  +0   expect error none
  +0   expect connections 0`,
);

// Both FINs cross.
row(
  210,
  "simultaneous close: CLOSING, TIME-WAIT",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < F. 1:1(0) ack 1
  +0   > . 2:2(0) ack 2
  +0   expect state CLOSING
  +.01 < . 2:2(0) ack 2
  +0   expect state TIME-WAIT`,
);

// The peer closes at once.
row(
  211,
  "FIN with the ACK of ours: FIN-WAIT-1 to TIME-WAIT",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < F. 1:1(0) ack 2
  +0   > . 2:2(0) ack 2
  +0   expect state TIME-WAIT`,
);

// 3,000 bytes wait for the window, 12,000 for the congestion window.
row(
  212,
  "queued text is sent before the FIN",
  "window",
  `${accepted("mss 1000", 1000)}
  +0   write 3000
  +0   > . 1:1001(1000) ack 1
  +0   close
  +0   expect state FIN-WAIT-1
  +.01 < . 1:1(0) ack 1001 win 1000
  +0   > . 1001:2001(1000) ack 1
  +.01 < . 1:1(0) ack 2001 win 2000
  +0   > FP. 2001:3001(1000) ack 1`,
);
row(
  212,
  "queued text is sent before the FIN",
  "congestion window",
  `${accepted("mss 1000")}
  +0   write 12000
  +0   > . 1:10001(10000) ack 1 x1000
  +0   close
  +.01 < . 1:1(0) ack 10001
  +0   > . 10001:11001(1000) ack 1
  +0   > FP. 11001:12001(1000) ack 1`,
);

// 100 bytes and FIN in one segment, there and back.
row(
  213,
  "a FIN carries text both ways",
  `${accepted()}
  +0   < FP. 1:101(100) ack 1
  +0   > . 1:1(0) ack 102
  +0   read 100
  +0   read 1 = EOF
  +0   noDelay off
  +0   write 100
  +0   > P. 1:101(100) ack 102
  +0   write 50
  +0   close
  +0   > FP. 101:151(50) ack 102
  +.01 < . 102:102(0) ack 152
  +0   expect state CLOSED
  +0   expect error none`,
);

// 210 ms, 420 ms, 840 ms.
row(
  214,
  "a FIN is retransmitted until it is acknowledged",
  "FIN-WAIT-1",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.2~.23 > F. 1:1(0) ack 1
  +.2~.23 > F. 1:1(0) ack 1
  +.4~.45 > F. 1:1(0) ack 1
  +.01 < . 1:1(0) ack 2
  +0   expect state FIN-WAIT-2`,
);
row(
  214,
  "a FIN is retransmitted until it is acknowledged",
  "CLOSING",
  `${accepted("mss 1000")}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < F. 1:1(0) ack 1
  +0   > . 2:2(0) ack 2
  +.2  > F. 1:1(0) ack 2
  +.42 > F. 1:1(0) ack 2
  +.01 < . 2:2(0) ack 2
  +0   expect state TIME-WAIT`,
);
row(
  214,
  "a FIN is retransmitted until it is acknowledged",
  "LAST-ACK",
  `${accepted("mss 1000")}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +0   close
  +0   > F. 1:1(0) ack 2
  +.21 > F. 1:1(0) ack 2
  +.42 > F. 1:1(0) ack 2
  +.01 < . 2:2(0) ack 2
  +0   expect state CLOSED`,
);

// Number 101 is the FIN's.
row(
  215,
  "an ACK of the text but not of the FIN keeps the state",
  `${accepted("mss 1000")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   close
  +0   > F. 101:101(0) ack 1
  +.01 < . 1:1(0) ack 101
  +0   expect state FIN-WAIT-1
  +.01 < . 1:1(0) ack 102
  +0   expect state FIN-WAIT-2`,
);

// In FIN-WAIT-1 and in FIN-WAIT-2.
row(
  216,
  "half-close: text is received after our FIN",
  `${accepted()}
  +0   closeWrite
  +0   > F. 1:1(0) ack 1
  +.01 < P. 1:101(100) ack 1
  +.04 > . 2:2(0) ack 101
  +0   read 100
  +0   < . 101:101(0) ack 2
  +0   expect state FIN-WAIT-2
  +.01 < P. 101:301(200) ack 2
  +.04 > . 2:2(0) ack 301
  +0   read 200
  +0   < F. 301:301(0) ack 2
  +0   > . 2:2(0) ack 302
  +0   read 1 = EOF
  +0   expect state TIME-WAIT`,
);

// The connection is in CLOSE-WAIT.
row(
  217,
  "half-close: text is sent after the peer's FIN",
  `${accepted()}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +0   read 1 = EOF
  +0   write 3000
  +0   > . 1:3001(3000) ack 2 x1000
  +.01 < . 2:2(0) ack 3001
  +1   write 10
  +0   > P. 3001:3011(10) ack 2
  +0   expect state CLOSE-WAIT`,
);

// The text is read in pieces. After the last piece, every read returns end of file.
row(
  218,
  "the end of file is read after all text",
  `${accepted()}
  +0 < FP. 1:101(100) ack 1
  +0 > . 1:1(0) ack 102
  +0 read 60
  +0 read 60 = 40
  +0 read 60 = EOF
  +0 read 60 = EOF`,
);

// FIN-WAIT-2 of a closed socket ends after two minutes; a half-closed socket waits for the peer without limit.
row(
  219,
  "FIN-WAIT-2 of a closed socket ends, of a half-closed one it does not",
  "closed",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < . 1:1(0) ack 2
  +10  expect state FIN-WAIT-2
  +300 expect connections 0
  +0   < F. 1:1(0) ack 2
  +0   > R 2:2(0)`,
);
row(
  219,
  "FIN-WAIT-2 of a closed socket ends, of a half-closed one it does not",
  "half-closed",
  `${accepted()}
  +0   closeWrite
  +0   > F. 1:1(0) ack 1
  +.01 < . 1:1(0) ack 2
  +100000 expect state FIN-WAIT-2
  +0   < F. 1:1(0) ack 2
  +0   > . 2:2(0) ack 2`,
);

// The peer is silent.
row(
  220,
  "FIN-WAIT-1 and LAST-ACK without an owner time out",
  "FIN-WAIT-1",
  `set orphanTimeoutMs=2000
  ${accepted("mss 1000")}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.21 > F. 1:1(0) ack 1
  +.42 > F. 1:1(0) ack 1
  +.84 > F. 1:1(0) ack 1
  +.3~1.7 > R. 2:2(0) ack 1
  +0   expect connections 0`,
);
row(
  220,
  "FIN-WAIT-1 and LAST-ACK without an owner time out",
  "LAST-ACK",
  `set orphanTimeoutMs=2000
  ${accepted("mss 1000")}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +0   close
  +0   > F. 1:1(0) ack 2
  +.21 > F. 1:1(0) ack 2
  +.42 > F. 1:1(0) ack 2
  +.84 > F. 1:1(0) ack 2
  +.3~1.7 > R. 2:2(0) ack 2
  +0   expect connections 0`,
);

// One ACK is of the text only, the other of unsent data.
row(
  221,
  "LAST-ACK: an ACK not of our FIN changes nothing",
  `${accepted("mss 1000")}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +0   write 100
  +0   > P. 1:101(100) ack 2
  +0   close
  +0   > F. 101:101(0) ack 2
  +.01 < . 2:2(0) ack 101
  +0   expect state LAST-ACK
  +0   < . 2:2(0) ack 5000
  +0   > . 102:102(0) ack 2
  +0   expect state LAST-ACK
  +0   < . 2:2(0) ack 102
  +0   expect state CLOSED`,
);

// Profile `local`: a client that reads 150 ms late finds the text and end of file. The RST follows
// once it has closed too.
row(
  258,
  "a RST that ends a connection waits for the peer's FIN, and is not reported as an error",
  `set close=reset finish=reset
  ${accepted()}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   close
  +0   > F. 101:101(0) ack 1
  +.01 < . 1:1(0) ack 102
  +0   expect state FIN-WAIT-2
  +.15 < F. 1:1(0) ack 102
  +0   > . 102:102(0) ack 2
  +0   > R. 102:102(0) ack 2`,
);
