import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted, SYN_SENT } from "./script/preludes.ts";

const row = rowsWith(test);

// Two parts of it were received out of order: the first of them is reported, and the remaining
// block.
row(
  249,
  "D-SACK reports the first part of a segment that was received before",
  "with a piece that fills the hole",
  `${accepted()}
  +0 < . 1001:3001(2000) ack 1
  +0~.06 > . 1:1(0) ack 1 <sack 1001:3001>
  +0 < . 4001:5001(1000) ack 1
  +0~.06 > . 1:1(0) ack 1 <sack 4001:5001 1001:3001>
  +0 < . 7001:8001(1000) ack 1
  +0~.06 > . 1:1(0) ack 1 <sack 7001:8001 4001:5001 1001:3001>
  +0 < . 1:6001(6000) ack 1
  +0~.06 > . 1:1(0) ack 6001 <sack 1001:3001 7001:8001>
  +0 < . 6001:7001(1000) ack 1
  +0~.06 > . 1:1(0) ack 8001 <>`,
);
// The larger block that contains the part comes second.
row(
  249,
  "D-SACK reports the first part of a segment that was received before",
  "ahead of the hole",
  `${accepted()}
  +0 < . 1001:2001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 1001:2001>
  +0 < . 1501:2501(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 1501:2001 1001:2501>
  +0 < . 501:1101(600) ack 1
  +0 > . 1:1(0) ack 1 <sack 1001:1101 501:2501>`,
);
// The acknowledged part comes first in the segment, so it is reported.
row(
  249,
  "D-SACK reports the first part of a segment that was received before",
  "across the acknowledgement",
  `${accepted()}
  +0 < . 1:1001(1000) ack 1
  +0 < . 2001:3001(1000) ack 1
  +0 > . 1:1(0) ack 1001 <sack 2001:3001>
  +0 < . 501:2501(2000) ack 1
  +0 > . 1:1(0) ack 3001 <sack 501:1001>`,
);
// A block above the acknowledgement without an enclosing block would have another meaning.
row(
  249,
  "D-SACK reports the first part of a segment that was received before",
  "unread text is not reported",
  `set profile=local
  ${accepted()}
  +0 < . 1001:3001(2000) ack 1
  +0 > . 1:1(0) ack 1 <sack 1001:3001>
  +0 < . 4001:5001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 4001:5001 1001:3001>
  +0 < . 1:3501(3500) ack 1
  +0 > . 1:1(0) ack 1 <sack 4001:5001>`,
);

// The application still writes, and learns that its data is lost. Reads still return end of file.
row(
  251,
  "a RST in CLOSE-WAIT is reported to the user",
  `${accepted()}
  +0   < F. 1:1(0) ack 1
  +0~.05 > . 1:1(0) ack 2
  +0   expect state CLOSE-WAIT
  +.1  < R. 2:2(0) ack 1
  +0   expect state CLOSED
  +0   read 1 = EOF`,
);
row(
  251,
  "a RST in CLOSE-WAIT is reported to the user",
  "as an error",
  `${accepted()}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +.1  < R. 2:2(0) ack 1
  +0   expect error CONNECTION_RESET`,
);
row(
  251,
  "a RST in CLOSE-WAIT is reported to the user",
  "in profile local as well",
  `set profile=local
  ${accepted()}
  +0   < F. 1:1(0) ack 1
  +0   > . 1:1(0) ack 2
  +.1  < R. 2:2(0) ack 1
  +0   expect error CONNECTION_RESET`,
);
// Both sides have sent everything: no error.
row(
  251,
  "a RST in CLOSE-WAIT is reported to the user",
  "in LAST-ACK it is not an error",
  `${accepted()}
  +0   < F. 1:1(0) ack 1
  +0~.05 > . 1:1(0) ack 2
  +.1  closeWrite
  +0   > F. 1:1(0) ack 2
  +.01 < R 2:2(0)
  +0   expect error none`,
);

// By time, not by number: the block that changed last, then those reported before.
row(
  252,
  "SACK blocks after the first are the most recent ones",
  `${accepted()}
  +0 < . 2001:3001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 2001:3001>
  +0 < . 8001:9001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 8001:9001 2001:3001>
  +0 < . 4001:5001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 4001:5001 8001:9001 2001:3001>
  +0 < . 6001:7001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 6001:7001 4001:5001 8001:9001 2001:3001>
  +0 < . 3001:3501(500) ack 1
  +0 > . 1:1(0) ack 1 <sack 2001:3501 6001:7001 4001:5001 8001:9001>
  +0 < . 1:1001(1000) ack 1
  +0 > . 1:1(0) ack 1001 <sack 2001:3501 6001:7001 4001:5001 8001:9001>`,
);
row(
  252,
  "SACK blocks after the first are the most recent ones",
  "a duplicate is the latest as well",
  `${accepted()}
  +0 < . 1001:2001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 1001:2001>
  +0 < . 3001:4001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
  +0 < . 1001:2001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 1001:2001 1001:2001 3001:4001>
  +0 < . 5001:6001(1000) ack 1
  +0 > . 1:1(0) ack 1 <sack 5001:6001 1001:2001 3001:4001>`,
);

/** A window of 10,000 bytes, whose right edge is 10,001. */
const SMALL_WINDOW = `set receiveBuffer=10000
  ${accepted()}`;
// One byte below the edge is inside.
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "RST",
  `${SMALL_WINDOW}
  +0 < R 10001:10001(0)
  +0 < R 10002:10002(0)
  +1 < R 10000:10000(0)
  +0 > . 1:1(0) ack 1
  +1 < R 1:1(0)
  +0 expect state CLOSED`,
);
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "an ACK",
  `${SMALL_WINDOW}
  +0 write 100
  +0 > P. 1:101(100) ack 1
  +0 < . 10001:10001(0) ack 101
  +0 > . 101:101(0) ack 1
  +.1 < . 10000:10000(0) ack 101
  +1 expect state ESTABLISHED`,
);
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "text and a FIN are refused and challenged, twice a second at most",
  `${SMALL_WINDOW}
  +0 < . 10001:10002(1) ack 1
  +0 > . 1:1(0) ack 1
  +0 < F. 10001:10001(0) ack 1
  +.5 < F. 10001:10001(0) ack 1
  +0 > . 1:1(0) ack 1
  +0 expect state ESTABLISHED`,
);
// The peer has used up the window and its first segment is lost, so it has no other sequence number
// to use.
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "of a window that is used up is inside",
  `${SMALL_WINDOW}
  +0 write 100
  +0 > P. 1:101(100) ack 1
  +0 < . 1001:10001(9000) ack 1
  +0 > . 101:101(0) ack 1 <sack 1001:10001>
  +.01 < . 10001:10001(0) ack 101
  +1 expect state ESTABLISHED
  +0 < R 10001:10001(0)
  +0 > . 101:101(0) ack 1
  +0 < R 1:1(0)
  +0 expect state CLOSED`,
);
// With a window of zero, the edge is RCV.NXT.
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "of a closed window is the next number",
  `${SMALL_WINDOW}
  +0 < . 1:10001(10000) ack 1
  +0 > . 1:1(0) ack 10001 win 0
  +0 < . 10001:10002(1) ack 1
  +0 > . 1:1(0) ack 10001 win 0
  +0 < . 10001:10002(1) ack 1
  +0 > . 1:1(0) ack 10001 win 0
  +0 < R 10001:10001(0)
  +0 expect state CLOSED`,
);
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "ICMP",
  `${accepted("mss 1460")}
  +0 write 1460
  +0 > P. 1:1461(1460) ack 1
  +0 < icmp unreachable frag_needed mtu 1000 [1461:1461(0)]
  +.01 < icmp unreachable frag_needed mtu 1000 [1460:1461(1)]
  +0 > . 1:961(960) ack 1
  +0 > P. 961:1461(500) ack 1`,
);
row(
  253,
  "the right edge of the window, and SND.NXT of an ICMP error, are outside",
  "ICMP where nothing is outstanding",
  `set userTimeoutMs=1000
  ${accepted("mss 1460")}
  +0 < icmp unreachable host [1:1(0)]
  +0 < icmp unreachable frag_needed mtu 1000 [1:1(0)]
  +0 write 1460
  +0 > P. 1:1461(1460) ack 1
  +.01 < . 1:1(0) ack 1461`,
);

// Linux drops the text and accepts its retransmission.
row(
  255,
  "text and FIN on a SYN,ACK are kept",
  `${SYN_SENT}
  +.01 < S. 0:100(100) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 101
  +0   read 1000 = 100
  +0   < . 101:201(100) ack 1
  +.04 > . 1:1(0) ack 201
  +0   read 1000 = 100`,
);
row(
  255,
  "text and FIN on a SYN,ACK are kept",
  "with a FIN",
  `${SYN_SENT}
  +.01 < SF. 0:100(100) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 102
  +0   expect state CLOSE-WAIT
  +0   read 1000 = 100
  +0   read 1000 = EOF
  +0   close
  +0   > F. 1:1(0) ack 102
  +.01 < . 102:102(0) ack 2
  +0   expect connections 0`,
);
row(
  255,
  "text and FIN on a SYN,ACK are kept",
  "no more than the SYN has offered",
  `set receiveBuffer=50
  ${SYN_SENT}
  +.01 < S. 0:100(100) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 51 win 0
  +0   read 1000 = 50
  +0   > . 1:1(0) ack 51 win 50
  +0   < . 51:101(50) ack 1
  +.04 > . 1:1(0) ack 101
  +0   read 1000 = 50
  +0   > . 1:1(0) ack 101 win 50`,
);
// Profile `local` acknowledges data when it is read.
row(
  255,
  "text and FIN on a SYN,ACK are kept",
  "acknowledged when it is read",
  `set profile=local
  ${SYN_SENT}
  +.01 < S. 0:100(100) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 1
  +0   read 1000 = 100
  +0   > . 1:1(0) ack 101`,
);
row(
  255,
  "text and FIN on a SYN,ACK are kept",
  "on the SYN,ACK of a simultaneous open",
  `set receiveBuffer=50
  ${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000,sackOK>
  +0   > S. 0:0(0) ack 1 <...>
  +.01 < S. 0:60(60) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 51 win 0
  +0   read 1000 = 50
  +0   > . 1:1(0) ack 51 win 50`,
);

// An MTU of 68 leaves 28 bytes of text, or 16 with timestamps, which leave room for one SACK block.
row(
  257,
  "the minimum MTU of a link carries text",
  `set mtu=68
  ${accepted("mss 1000,sackOK")}
  +0   write 70
  +0   > . 1:29(28) ack 1
  +0   > . 29:57(28) ack 1
  +0   > P. 57:71(14) ack 1
  +.01 < . 1:1(0) ack 71
  +0   < . 29:57(28) ack 1
  +0   > . 71:71(0) ack 1 <sack 29:57>
  +0   < . 85:113(28) ack 1
  +0   > . 71:71(0) ack 1 <sack 85:113 29:57>
  +0   < . 141:169(28) ack 1
  +0   > . 71:71(0) ack 1 <sack 141:169 85:113 29:57>
  +0   < . 197:225(28) ack 1
  +0   > . 71:71(0) ack 1 <sack 197:225 141:169 85:113>`,
);
row(
  257,
  "the minimum MTU of a link carries text",
  "beside timestamps",
  `set mtu=68
  ${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
  +0   write 40
  +0   > . 1:17(16) ack 1
  +0   > . 17:33(16) ack 1
  +0   > P. 33:41(8) ack 1
  +.01 < . 1:1(0) ack 41 <TS val 120 ecr 10>
  +0   < . 29:57(28) ack 1 <TS val 120 ecr 10>
  +0   > . 41:41(0) ack 1 <TS val 20 ecr 120,sack 29:57>
  +0   < . 85:113(28) ack 1 <TS val 120 ecr 10>
  +0   > . 41:41(0) ack 1 <TS val 20 ecr 120,sack 85:113>`,
);

// Segments without text are answered twice a second. Segments with a byte are always answered, since they cannot
// cause a loop of empty answers.
row(
  259,
  "answers to segments that look like keep-alives are throttled",
  `${accepted()}
  +.1  < . 0:0(0) ack 1
  +0   > . 1:1(0) ack 1
  +.1  < . 0:0(0) ack 1
  +.1  < . 0:0(0) ack 1
  +.35 < . 0:0(0) ack 1
  +0   > . 1:1(0) ack 1`,
);
row(
  259,
  "answers to segments that look like keep-alives are throttled",
  "those with a byte are answered each time",
  `${accepted()}
  +.1  < . 0:1(1) ack 1
  +0   > . 1:1(0) ack 1
  +.1  < . 0:1(1) ack 1
  +0   > . 1:1(0) ack 1`,
);
// Another out-of-window segment has used up the answer of this half second.
row(
  259,
  "answers to segments that look like keep-alives are throttled",
  "challenge ACKs count as well",
  `${accepted()}
  +.1  < S 5000:5000(0) win 65535
  +0   > . 1:1(0) ack 1
  +.1  < . 0:0(0) ack 1
  +.45 < . 0:0(0) ack 1
  +0   > . 1:1(0) ack 1`,
);

// SYN with FIN may pass packet filters that look for SYN; no host sends it.
row(
  260,
  "a SYN with a FIN opens no connection",
  `0    listen
  +0   < SF 0:0(0) win 65535 <mss 1000>
  +0   expect connections 0
  +.1  < SF 0:100(100) win 65535 <mss 1000>
  +0   expect connections 0
  +.1  < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1 <...>`,
);
row(
  260,
  "a SYN with a FIN opens no connection",
  "TIME-WAIT does not give way to it",
  `${accepted("mss 1000")}
  +0   closeWrite
  +0   > F. 1:1(0) ack 1
  +.01 < F. 1:1(0) ack 2
  +0   > . 2:2(0) ack 2
  +1   < SF 100000:100000(0) win 65535 <mss 1000>
  +0   > . 2:2(0) ack 2`,
);

// Data received before the RST is read, then the error.
row(
  261,
  "a connection that is reset before accept() is returned by accept()",
  `ignoreAcks
  0    listen
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1 <...>
  +.01 < . 1:1(0) ack 1
  +0   < P. 1:101(100) ack 1
  +0   < R. 101:101(0) ack 1
  +0   accept
  +0   read 1000 = 100
  +0   read 1000 = CONNECTION_RESET`,
);
row(
  261,
  "a connection that is reset before accept() is returned by accept()",
  "a FIN was before it",
  `0    listen
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1 <...>
  +.01 < . 1:1(0) ack 1
  +0   < FP. 1:101(100) ack 1
  +0~.05 > . 1:1(0) ack 102
  +.1  < R. 102:102(0) ack 1
  +0   accept
  +0   read 1000 = 100
  +0   read 1000 = EOF`,
);
// The connection keeps its place in the backlog until it is accepted.
row(
  261,
  "a connection that is reset before accept() is returned by accept()",
  "it counts for the backlog",
  `0    listen 1
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1 <...>
  +.01 < . 1:1(0) ack 1
  +0   < R. 1:1(0) ack 1
  +0   <@2 S 0:0(0) win 65535 <mss 1000>
  +0   accept
  +.1  <@2 S 0:0(0) win 65535 <mss 1000>
  +0   >@2 S. 0:0(0) ack 1 <...>`,
);
// The connection was not established yet.
row(
  261,
  "a connection that is reset before accept() is returned by accept()",
  "in SYN-RECEIVED it is forgotten",
  `0    listen
  +0   < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1 <...>
  +.01 < R. 1:1(0) ack 1
  +0   accept = nothing`,
);
