import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("the handshake", () => {
  // The SYN is retransmitted: so is the answer, and there is one connection.
  test("answers a retransmitted SYN with the same SYN,ACK (RFC 9293 3.10.7.4, fourth)", () =>
    play(`${synReceived("mss 1000")}
      +.3  < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +0   expect connections 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   accept@2 = nothing`));

  // Our ACK was lost, so the peer retransmits its SYN,ACK.
  test("answers a retransmitted SYN,ACK with an ACK (RFC 9293 3.10.7.4, first)", () =>
    play(`${SYN_SENT}
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
      +0   > . 1:1(0) ack 1
      +1   < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED`));

  // Simultaneous open: both SYNs arrive, then both SYN,ACKs.
  test("of a simultaneous open gives one connection (RFC 9293 3.5, figure 7)", () =>
    play(`${SYN_SENT}
      +.01 < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED
      +0   write 100
      +0   > P. 1:101(100) ack 1`));

  // Data written before is sent with the ACK.
  test("is followed by data written before (RFC 9293 3.10.2)", () =>
    play(`${SYN_SENT}
      +0   write 100
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      ignoreAcks
      +0   > P. 1:101(100) ack 1`));

  // An attacker does not know our ISN.
  test("is not completed by a SYN,ACK with a wrong acknowledgement (RFC 9293 3.10.7.3)", () =>
    play(`${SYN_SENT}
      +.01 < S. 0:0(0) ack 2 win 65535 <mss 1000>
      +0   > R 2:2(0)
      +0   expect state SYN-SENT`));

  // Only one of them waits to be accepted.
  test("of several peers gives each a connection (RFC 9293 3.10.7.2)", () =>
    play(`0    listen
      +0   < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +0   <@2 S 0:0(0) win 65535 <mss 1000>
      +0   >@2 S. 0:0(0) ack 1 <...>
      +.01 <@2 . 1:1(0) ack 1
      +.01 < . 1:1(0) ack 1
      +0   accept@2
      +0   accept
      +0   write 10
      +0   > P. 1:11(10) ack 1`));

  // An unknown option, one with a length of 0, and one beyond the end.
  test("tolerates invalid options (RFC 9293 3.1, MUST-6, MUST-7)", () =>
    play(`0    listen
      +0   < S 0:0(0) win 65535 <bytes 254 4 1 2>
      +0   > S. 0:0(0) ack 1 <...>
      +0   <@2 S 0:0(0) win 65535 <bytes 2 0 1 1>
      +0   >@2 S. 0:0(0) ack 1 <...>
      +0   <@3 S 0:0(0) win 65535 <bytes 1 1 1 2>
      +0   >@3 S. 0:0(0) ack 1 <...>`));
});

describe("an acknowledgement", () => {
  // In each state after our FIN.
  test("of unsent data is challenged in the closing states too (RFC 5961 5.2)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 100
      +0   > . 2:2(0) ack 1
      +0   expect state FIN-WAIT-1
      +.01 < . 1:1(0) ack 2
      +0   expect state FIN-WAIT-2`));

  // It covers a part of the text, not the FIN after it.
  test("of part of the text leaves the FIN unacknowledged (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted("mss 1000")}
      +0   write 1500
      +0   > . 1:1001(1000) ack 1
      +0   > P. 1001:1501(500) ack 1
      +0   close
      +0   > F. 1501:1501(0) ack 1
      +.01 < . 1:1(0) ack 700
      +0   expect state FIN-WAIT-1
      +0   < . 1:1(0) ack 1502
      +0   expect state FIN-WAIT-2`));

  // No sequence number is skipped at the wrap.
  test("across the wrap of our sequence numbers is processed (RFC 9293 3.4)", () =>
    play(`set iss=4294966295
      ${accepted("mss 1000")}
      +0   write 3000
      +0   > . 1:3001(3000) ack 1 x1000
      +.01 < . 1:1(0) ack 1501
      +.01 < . 1:1(0) ack 3001
      +1   expect state ESTABLISHED`));
});

describe("a FIN out of order", () => {
  // We have half-closed; text and FIN arrive out of order.
  test("in FIN-WAIT-2 is processed once the gap is filled (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < F. 201:201(0) ack 2
      +0   > . 2:2(0) ack 1 <...>
      +0   < . 101:201(100) ack 2
      +0   > . 2:2(0) ack 1 <...>
      +0   expect state FIN-WAIT-2
      +0   < . 1:101(100) ack 2
      +0   > . 2:2(0) ack 202
      +0   expect state TIME-WAIT
      +0   read 1000 = 200
      +0   read 1 = EOF`));

  // It also acknowledges our FIN.
  test("in FIN-WAIT-1 may acknowledge ours (RFC 9293 3.10.7.4)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < FP. 101:201(100) ack 2
      +0   > . 2:2(0) ack 1 <...>
      +0   expect state FIN-WAIT-2
      +0   < . 1:101(100) ack 2
      +0   > . 2:2(0) ack 202
      +0   expect state TIME-WAIT
      +0   read 1000 = 200`));
});

describe("duplicates in a row", () => {
  // Each draws its own acknowledgement with a D-SACK.
  test("are reported one by one (RFC 2883 4.1)", () =>
    play(`${accepted()}
      +0 < . 1:1001(1000) ack 1
      +0 < . 1001:2001(1000) ack 1
      +.04 > . 1:1(0) ack 2001
      +0 < . 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 2001 <sack 1:1001>
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 2001 <sack 1001:2001>
      +0 < . 501:1501(1000) ack 1
      +0 > . 1:1(0) ack 2001 <sack 501:1501>`));

  // Far below the window: an old retransmission, or an attack.
  test("from far below the window are refused (RFC 9293 3.10.7.4, first)", () =>
    play(`${accepted()}
      +0 < . -70000:-69000(1000) ack 1
      +0 > . 1:1(0) ack 1 <>
      +0 expect readable 0`));
});

describe("TIME-WAIT", () => {
  // The peer retransmits text from before its FIN.
  test("answers retransmitted text (RFC 9293 3.10.7.4, first)", () =>
    play(`${accepted()}
      +0   < P. 1:101(100) ack 1
      +.04 > . 1:1(0) ack 101
      +0   read 1000 = 100
      +0   closeWrite
      +0   > F. 1:1(0) ack 101
      +.01 < F. 101:101(0) ack 2
      +0   > . 2:2(0) ack 102
      +.1  < P. 1:101(100) ack 2
      +0   > . 2:2(0) ack 102 <sack 1:101>
      +0   expect state TIME-WAIT`));

  // A sequence number below that of the old connection, and no newer timestamp.
  test("does not give way to an old SYN (RFC 9293 3.6.1, MAY-2)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +.1  < S -5000:-5000(0) win 65535 <mss 1000>
      +0   > . 2:2(0) ack 2
      +0   expect state TIME-WAIT`));
});
