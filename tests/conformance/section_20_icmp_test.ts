import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted, SYN_SENT } from "./script/preludes.ts";

const row = rowsWith(test);

/** Two segments are in flight. */
const IN_FLIGHT = `${accepted("mss 1460")}
  +0   write 2920
  +0   > . 1:2921(2920) ack 1 x1460`;

// Numbers below and above what is in flight, and another connection's ports.
row(
  234,
  "an ICMP error is accepted if it quotes outstanding data",
  `${IN_FLIGHT}
  +0 < icmp unreachable frag_needed mtu 1000 [0:1460(1460)]
  +0 < icmp unreachable frag_needed mtu 1000 [2922:3000(78)]
  +0 <@2 icmp unreachable frag_needed mtu 1000 [1:1461(1460)]
  +.1 < icmp unreachable frag_needed mtu 1000 [1:1461(1460)]
  +0 > . 1:961(960) ack 1
  +0 > . 961:1461(500) ack 1
  +0 > . 1461:2421(960) ack 1
  +0 > P. 2421:2921(500) ack 1`,
);
row(
  234,
  "an ICMP error is accepted if it quotes outstanding data",
  "SYN-SENT",
  `${SYN_SENT}
  +0 < icmp unreachable host [1000:1000(0)]
  +0 <@2 icmp unreachable host [0:0(0)]
  +0 expect state SYN-SENT
  +0 < icmp unreachable host [0:0(0)]
  +0 expect state CLOSED`,
);

// The connection continues; if it times out later, the error gives the reason.
for (
  const error of [
    "unreachable net",
    "unreachable host",
    "unreachable source_route_failed",
    "time_exceeded",
    "parameter_problem",
  ]
) {
  row(
    235,
    "a soft error on a connection is reported and does not end it",
    error,
    `set userTimeoutMs=1000
    ${accepted("mss 1000")}
    +0   write 100
    +0   > P. 1:101(100) ack 1
    +0   < icmp ${error} [1:101(100)]
    +0   expect state ESTABLISHED
    +.21 > P. 1:101(100) ack 1
    +.42 > P. 1:101(100) ack 1
    +.3~.9 > R. 101:101(0) ack 1
    +0   expect error UNREACHABLE`,
  );
}
row(
  235,
  "a soft error on a connection is reported and does not end it",
  "forgotten once a segment arrives",
  `set userTimeoutMs=1000
  ${accepted("mss 1000")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   < icmp unreachable host [1:101(100)]
  +.01 < . 1:1(0) ack 101
  +0   write 100
  +0   > P. 101:201(100) ack 1
  +.21 > P. 101:201(100) ack 1
  +.42 > P. 101:201(100) ack 1
  +.3~.9 > R. 201:201(0) ack 1
  +0   expect error TIMED_OUT`,
);

row.decidedAgainst(
  236,
  "a hard error on a connection",
  "an ICMP message is easily forged, so that no connection is aborted by one; Linux and RFC 5461 do the same",
);

// The code determines the error.
for (
  const [error, code] of [
    ["unreachable net", "UNREACHABLE"],
    ["unreachable host", "UNREACHABLE"],
    ["unreachable prohibited", "UNREACHABLE"],
    ["unreachable protocol", "CONNECTION_REFUSED"],
    ["unreachable port", "CONNECTION_REFUSED"],
  ]
) {
  row(
    237,
    "in SYN-SENT an unreachable error fails connect() at once",
    error!,
    `${SYN_SENT}
    +.01 < icmp ${error} [0:0(0)]
    +0   expect state CLOSED
    +0   expect error ${code}
    +0   expect connections 0`,
  );
}

// Neither an attempt nor a connection is affected.
row(
  238,
  "source quench is ignored",
  `${IN_FLIGHT}
  +0   < icmp source_quench [1:1461(1460)]
  +0   expect cwnd 14600
  +.01 < . 1:1(0) ack 2921
  +1   expect state ESTABLISHED`,
);
row(
  238,
  "source quench is ignored",
  "SYN-SENT",
  `${SYN_SENT}
  +0 < icmp source_quench [0:0(0)]
  +0 expect state SYN-SENT`,
);

// Both segments were too big: they are retransmitted as four, and this is not a sign of congestion.
row(
  239,
  "packet too big: segments shrink, lost data is retransmitted in smaller segments",
  "IPv4",
  `${IN_FLIGHT}
  +.01 < icmp unreachable frag_needed mtu 1000 [1:1461(1460)]
  +0   > . 1:961(960) ack 1
  +0   > . 961:1461(500) ack 1
  +0   > . 1461:2421(960) ack 1
  +0   > P. 2421:2921(500) ack 1
  +0   expect ssthresh Infinity
  +.01 < . 1:1(0) ack 2921
  +0   write 1920
  +0   > . 2921:4841(1920) ack 1 x960`,
);
row(
  239,
  "packet too big: segments shrink, lost data is retransmitted in smaller segments",
  "IPv6",
  `set version=6
  ${accepted("mss 1440")}
  +0   write 1440
  +0   > P. 1:1441(1440) ack 1
  +.01 < icmp packet_too_big mtu 1280 [1:1441(1440)]
  +0   > . 1:1221(1220) ack 1
  +0   > P. 1221:1441(220) ack 1`,
);
row(
  239,
  "packet too big: segments shrink, lost data is retransmitted in smaller segments",
  "a router that does not say the MTU",
  `${IN_FLIGHT}
  +.01 < icmp unreachable frag_needed mtu 0 [1:1461(1460)]
  +0   > . 1:1453(1452) ack 1
  +0   > . 1453:1461(8) ack 1
  +0   > . 1461:2913(1452) ack 1
  +0   > P. 2913:2921(8) ack 1`,
);

// The reported MTUs are 67 and 551 bytes, and 1,279 over IPv6.
row(
  240,
  "an MTU below the minimum is ignored",
  "IPv4",
  `${IN_FLIGHT}
  +0   < icmp unreachable frag_needed mtu 67 [1:1461(1460)]
  +0   < icmp unreachable frag_needed mtu 551 [1:1461(1460)]
  +0   < icmp unreachable frag_needed mtu 9000 [1:1461(1460)]
  +.01 < . 1:1(0) ack 2921
  +0   write 1460
  +0   > P. 2921:4381(1460) ack 1`,
);
row(
  240,
  "an MTU below the minimum is ignored",
  "IPv6",
  `set version=6
  ${accepted("mss 1440")}
  +0   write 1440
  +0   > P. 1:1441(1440) ack 1
  +0   < icmp packet_too_big mtu 1279 [1:1441(1440)]
  +.01 < . 1:1(0) ack 1441
  +0   write 1440
  +0   > P. 1441:2881(1440) ack 1`,
);
