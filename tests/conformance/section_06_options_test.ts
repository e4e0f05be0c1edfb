import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted, SYN_SENT } from "./script/preludes.ts";

const row = rowsWith(test);

// Without the option on both sides, a window of 100 is 100 bytes.
row(
  63,
  "window scaling is in use if both SYNs have it",
  "the peer does not scale",
  `0    listen
  +0   < S 0:0(0) win 100 <mss 1000,sackOK>
  +0   > S. 0:0(0) ack 1 <mss 1460,sackOK>
  +.01 < . 1:1(0) ack 1 win 100
  +0   accept
  +0   write 300
  +0   > . 1:101(100) ack 1 win 65535`,
);
row(
  63,
  "window scaling is in use if both SYNs have it",
  "the peer does not scale, connect()",
  `${SYN_SENT}
  +.01 < S. 0:0(0) ack 1 win 100 <mss 1000>
  +0   > . 1:1(0) ack 1 win 65535
  +0   write 300
  +0   > . 1:101(100) ack 1 win 65535`,
);
row(
  63,
  "window scaling is in use if both SYNs have it",
  "the stack does not scale",
  `set windowScaling=false
  0    listen
  +0   < S 0:0(0) win 100 <mss 1000,sackOK,wscale 7>
  +0   > S. 0:0(0) ack 1 <mss 1460,sackOK>
  +.01 < . 1:1(0) ack 1 win 100
  +0   accept
  +0   write 300
  +0   > . 1:101(100) ack 1`,
);

// In a SYN, 1,000 is 1,000; afterwards it is 128,000.
row(
  64,
  "the window of SYN and SYN,ACK is not scaled",
  `set receiveBuffer=1048576 congestion=unacked
  0    connect
  +0   > S 0:0(0) win 65535 <...>
  +.01 < S. 0:0(0) ack 1 win 1000 <mss 1000,wscale 7>
  +0   > . 1:1(0) ack 1
  +0   write 5000
  +0   > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001 win 1000
  +0   > . 1001:5001(4000) ack 1 x1000`,
);
row(
  64,
  "the window of SYN and SYN,ACK is not scaled",
  "SYN,ACK",
  `set receiveBuffer=1048576
  0    listen
  +0   < S 0:0(0) win 65535 <mss 1000,wscale 7>
  +0   > S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 5>`,
);

// A window of 2 is 32,768 bytes, not 65,536.
row(
  65,
  "a shift above 14 is treated as 14",
  `set congestion=unacked
  ${accepted("mss 1000,wscale 15", 2)}
  +0   write 40000
  +0   > . 1:32001(32000) ack 1 x1000
  +.01 < . 1:1(0) ack 32001 win 2
  +0   > . 32001:40001(8000) ack 1 x1000`,
);

// Up to 65,535 bytes need no shift; each bit doubles the maximum window.
for (
  const [buffer, shift] of [[65535, 0], [65536, 1], [262144, 3], [1048576, 5], [1073741823, 14]]
) {
  row(
    66,
    "the shift offered fits the receive buffer",
    `${buffer} bytes`,
    `set receiveBuffer=${buffer} sack=false timestamps=false
    0  connect
    +0 > S 0:0(0) win 65535 <mss 1460,wscale ${shift}>`,
  );
}

// 10,000 with a shift of 2 allows 40,000 bytes and no more.
row(
  67,
  "the peer's scaled window is used to its end",
  `set congestion=unacked
  ${accepted("mss 1000,wscale 2", 10000)}
  +0   write 50000
  +0   > . 1:40001(40000) ack 1 x1000
  +.01 < . 1:1(0) ack 20001 win 10000
  +0   > . 40001:50001(10000) ack 1 x1000`,
);

// Out-of-order text is reported only if negotiated.
row(
  68,
  "SACK is offered, and in use if both SYNs have it",
  "agreed",
  `set timestamps=false windowScaling=false
  0   listen
  +0  < S 0:0(0) win 65535 <mss 1000,sackOK>
  +0  > S. 0:0(0) ack 1 <mss 1460,sackOK>
  +0  < . 1:1(0) ack 1
  +0  < . 11:21(10) ack 1
  +0  > . 1:1(0) ack 1 <sack 11:21>`,
);
row(
  68,
  "SACK is offered, and in use if both SYNs have it",
  "not by the peer",
  `0   listen
  +0  < S 0:0(0) win 65535 <mss 1000>
  +0  > S. 0:0(0) ack 1 <mss 1460>
  +0  < . 1:1(0) ack 1
  +0  < . 11:21(10) ack 1
  +0  > . 1:1(0) ack 1 <>`,
);
row(
  68,
  "SACK is offered, and in use if both SYNs have it",
  "not by the stack",
  `set sack=false timestamps=false windowScaling=false
  0   connect
  +0  > S 0:0(0) <mss 1460>
  +0  < S. 0:0(0) ack 1 <mss 1000,sackOK>
  +0  > . 1:1(0) ack 1
  +0  < . 11:21(10) ack 1
  +0  > . 1:1(0) ack 1 <>`,
);

// Offered by connect(), echoed by SYN,ACK, and not used if one side lacks them.
row(
  69,
  "timestamps are in use if both SYNs have them",
  "agreed",
  `0   listen
  +0  < S 0:0(0) win 65535 <mss 1000,TS val 100 ecr 0>
  +0  > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 100>
  +0  < . 1:1(0) ack 1 <TS val 100 ecr 0>
  +0  accept
  +0  write 10
  +0  > P. 1:11(10) ack 1 <TS val 0 ecr 100>`,
);
row(
  69,
  "timestamps are in use if both SYNs have them",
  "not by the peer",
  `0   connect
  +0  > S 0:0(0) <...>
  +0  < S. 0:0(0) ack 1 win 65535 <mss 1000>
  +0  > . 1:1(0) ack 1 <>
  +0  write 10
  +0  > P. 1:11(10) ack 1 <>`,
);
row(
  69,
  "timestamps are in use if both SYNs have them",
  "not by the stack",
  `set timestamps=false
  0   listen
  +0  < S 0:0(0) win 65535 <mss 1000,TS val 100 ecr 0>
  +0  > S. 0:0(0) ack 1 <mss 1460>
  +0  < . 1:1(0) ack 1 <TS val 100 ecr 0>
  +0  accept
  +0  write 10
  +0  > P. 1:11(10) ack 1 <>`,
);

// Of segments acknowledged together, the first counts; out-of-order ones do not.
row(
  70,
  "TSecr echoes the segment that last advanced the window's left edge",
  `${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
  +0   < P. 1:101(100) ack 1 <TS val 120 ecr 0>
  +.01 < P. 101:201(100) ack 1 <TS val 130 ecr 0>
  +.03 > . 1:1(0) ack 201 <TS val . ecr 120>
  +0   < P. 301:401(100) ack 1 <TS val 160 ecr 0>
  +0   > . 1:1(0) ack 201 <TS val . ecr 120,sack 301:401>
  +.01 < P. 201:301(100) ack 1 <TS val 170 ecr 0>
  +0   > . 1:1(0) ack 401 <TS val . ecr 170>`,
);

// ACK, text, its retransmission, FIN; a RST as well.
row(
  71,
  "every segment has timestamps once agreed, RST too",
  `${accepted("mss 1000,TS val 100 ecr 0")}
  +0   < P. 1:101(100) ack 1 <TS val 110 ecr 0>
  +.04 > . 1:1(0) ack 101 <TS val . ecr 110>
  +0   write 10
  +0   > P. 1:11(10) ack 101 <TS val . ecr 110>
  +.21 > P. 1:11(10) ack 101 <TS val . ecr 110>
  +0   closeWrite
  +0   > F. 11:11(0) ack 101 <TS val . ecr 110>
  +0   abort
  +0   > R. 12:12(0) ack 101 <TS val . ecr 110>`,
);

// The peer or a middlebox has removed them.
row(
  72,
  "a segment without agreed timestamps is still accepted",
  `${accepted("mss 1000,TS val 100 ecr 0")}
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101 <TS val . ecr 110>
  +0   read 100`,
);

// 1 ms older than the last one.
row(
  73,
  "an older TSval is dropped and draws an ACK",
  `${accepted("mss 1000,TS val 100 ecr 0")}
  +0   < P. 1:101(100) ack 1 <TS val 109 ecr 0>
  +0   > . 1:1(0) ack 1 <TS val . ecr 110>
  +0   read 1 = nothing
  +0   < P. 1:101(100) ack 1 <TS val 110 ecr 0>
  +.04 > . 1:1(0) ack 101
  +0   read 100`,
);

// 500 came with an ACK of unsent data: TS.Recent is still 110.
row(
  74,
  "a segment that acknowledges unsent data leaves TS.Recent alone",
  `${accepted("mss 1000,TS val 100 ecr 0")}
  +0   < . 1:1(0) ack 1000 <TS val 500 ecr 0>
  +0   > . 1:1(0) ack 1 <TS val . ecr 110>
  +0   < P. 1:101(100) ack 1 <TS val 120 ecr 0>
  +.04 > . 1:1(0) ack 101 <TS val . ecr 120>`,
);

// The text is sent at 10 ms, the FIN at 110, the RST at 210.
row(
  75,
  "TSval of FIN and RST is the time they are sent",
  `${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
  +0   write 10
  +0   > P. 1:11(10) ack 1 <TS val 10 ecr 110>
  +.1  closeWrite
  +0   > F. 11:11(0) ack 1 <TS val 110 ecr 110>
  +.01 < . 1:1(0) ack 12 <TS val 220 ecr 110>
  +.09 abort
  +0   > R. 12:12(0) ack 1 <TS val 210 ecr 220>`,
);
