import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { SYN_SENT, synReceived } from "./script/preludes.ts";

const row = rowsWith(test);

// The handshake is through.
row(
  54,
  `${synReceived()}
  +.01 < . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// ISS, ISS + 2 and one from long ago; then the right one.
row(
  55,
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

// The port goes on listening.
row(
  57,
  `${synReceived()}
  +.01 < R 1:1(0)
  +0   expect connections 0
  +0   < . 1:1(0) ack 1
  +0   > R 1:1(0)
  +0   accept = nothing
  +0   <@2 S 0:0(0)
  +0   >@2 S. 0:0(0) ack 1`,
);

// One segment does all of it.
row(
  58,
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
  `${synReceived()}
  1     > S. 0:0(0) ack 1 <...>
  3     > S. 0:0(0) ack 1 <...>
  3.01  < . 1:1(0) ack 1
  +0    accept
  +5    expect state ESTABLISHED`,
);

// Before the SYN,ACK's own timer.
row(
  60,
  `${synReceived()}
  +.5  < S 0:0(0) win 65535 <mss 1000,sackOK>
  +0   > S. 0:0(0) ack 1
  +0   expect connections 1
  +.01 < . 1:1(0) ack 1
  +0   accept
  +0   accept = nothing`,
);

// An application has a connection in SYN-RECEIVED when both ends opened at once.
row(
  61,
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
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +0   write 100
  +1   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1
  +0   > P. 1:101(100) ack 1
  +.01 < . 1:1(0) ack 101`,
);
