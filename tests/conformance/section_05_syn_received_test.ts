import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { SYN_SENT, synReceived } from "./script/preludes.ts";

const row = rowsWith(test);

// The handshake is complete.
row(
  54,
  "the ACK of our SYN leads to ESTABLISHED",
  `${synReceived()}
  +.01 < . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// ISS, ISS + 2 and a very old one; then the correct one.
row(
  55,
  "any other ACK draws RST, SEQ=SEG.ACK, and changes nothing",
  `${synReceived()}
  +0   < . 1:1(0) ack 0
  +0   > R 0:0(0)
  +0   < . 1:1(0) ack 2
  +0   > R 2:2(0)
  +0   < P. 1:11(10) ack -100000
  +0   > R -100000:-100000(0)
  +0   expect state SYN-RECEIVED
  +.01 < . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// The SYN,ACK has offered 65,535 bytes.
row(
  56,
  "a segment outside the window draws an ACK",
  `${synReceived()}
  +0   < . 100000:100000(0) ack 1
  +0   > . 1:1(0) ack 1
  +1   > S. 0:0(0) ack 1
  +0   < P. 100000:100010(10) ack 1
  +0   > . 1:1(0) ack 1
  +0   expect state SYN-RECEIVED
  +.01 < . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// The listener stays.
row(
  57,
  "a RST ends a passive open, a later ACK draws RST",
  `${synReceived()}
  +.01 < R 1:1(0)
  +0   expect connections 0
  +0   < . 1:1(0) ack 1
  +0   > R 1:1(0)
  +0   accept = nothing
  +0   <@2 S 0:0(0)
  +0   >@2 S. 0:0(0) ack 1`,
);

// All in one segment.
row(
  58,
  "text and FIN on the handshake's ACK are accepted",
  `${synReceived()}
  +.01 < FP. 1:101(100) ack 1
  +0   > . 1:1(0) ack 102
  +0   accept
  +0   expect state CLOSE-WAIT
  +0   read 100
  +0   read 1 = EOF`,
);

// 1 s, then 2 s more.
row(
  59,
  "the SYN,ACK is retransmitted on a timeout",
  `${synReceived()}
  1     > S. 0:0(0) ack 1 <...>
  3     > S. 0:0(0) ack 1 <...>
  3.01  < . 1:1(0) ack 1
  +0    accept
  +5    expect state ESTABLISHED`,
);

// Before the SYN,ACK's timer expires.
row(
  60,
  "a retransmitted SYN draws SYN,ACK again, and no second connection",
  `${synReceived()}
  +.5  < S 0:0(0) win 65535 <mss 1000,sackOK>
  +0   > S. 0:0(0) ack 1
  +0   expect connections 1
  +.01 < . 1:1(0) ack 1
  +0   accept
  +0   accept = nothing`,
);

// After a simultaneous open the application has a connection in SYN-RECEIVED.
row(
  61,
  "close() sends FIN, or RST with linger 0",
  "FIN",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +0   close
  +.01 < . 1:1(0) ack 1
  +0   > F. 1:1(0) ack 1
  +0   expect state FIN-WAIT-1`,
);
row(
  61,
  "close() sends FIN, or RST with linger 0",
  "linger 0",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +0   linger 0
  +0   close
  +0   > R. 1:1(0) ack 1
  +0   expect state CLOSED`,
);

// The peer's ACK and the first SYN,ACK were lost.
row(
  62,
  "data written early is sent after a retransmitted SYN,ACK is acknowledged",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +0   write 100
  +1   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1
  +0   > P. 1:101(100) ack 1
  +.01 < . 1:1(0) ack 101`,
);
