import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("the handshake", () => {
  // The SYN comes again: so does its answer, and it is one connection.
  test("answers a SYN that comes again with the same SYN,ACK (RFC 9293 3.10.7.4, fourth)", () =>
    play(`${synReceived("mss 1000")}
      +.3  < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +0   expect connections 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   accept@2 = nothing`));

  // The peer's last ACK was lost: its SYN,ACK comes again, and draws an ACK.
  test("answers a SYN,ACK that comes again with an ACK (RFC 9293 3.10.7.4, first)", () =>
    play(`${SYN_SENT}
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
      +0   > . 1:1(0) ack 1
      +1   < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED`));

  // Both have sent a SYN, both SYNs arrive, then both SYN,ACKs.
  test("of both sides at once is one connection (RFC 9293 3.5, figure 8)", () =>
    play(`${SYN_SENT}
      +.01 < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED
      +0   write 100
      +0   > P. 1:101(100) ack 1`));

  // What waits for the connection leaves with its ACK.
  test("is followed by what was written before (RFC 9293 3.10.2)", () =>
    play(`${SYN_SENT}
      +0   write 100
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      ignoreAcks
      +0   > P. 1:101(100) ack 1`));

  // An attacker does not know our number.
  test("is not completed by a SYN,ACK with another acknowledgement (RFC 9293 3.10.7.3)", () =>
    play(`${SYN_SENT}
      +.01 < S. 0:0(0) ack 2 win 65535 <mss 1000>
      +0   > R 2:2(0)
      +0   expect state SYN-SENT`));

  // Only one of them waits to be accepted.
  test("of several peers gives each its connection (RFC 9293 3.10.7.2)", () =>
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

  // An option that nobody knows, one with a length of 0, one beyond the end.
  test("survives options that cannot be (RFC 9293 3.1, MUST-6, MUST-7)", () =>
    play(`0    listen
      +0   < S 0:0(0) win 65535 <bytes 254 4 1 2>
      +0   > S. 0:0(0) ack 1 <...>
      +0   <@2 S 0:0(0) win 65535 <bytes 2 0 1 1>
      +0   >@2 S. 0:0(0) ack 1 <...>
      +0   <@3 S 0:0(0) win 65535 <bytes 1 1 1 2>
      +0   >@3 S. 0:0(0) ack 1 <...>`));
});

describe("an acknowledgement", () => {
  // In each state that has sent a FIN.
  test("of what was not sent is challenged while closing too (RFC 5961 5.2)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 100
      +0   > . 2:2(0) ack 1
      +0   expect state FIN-WAIT-1
      +.01 < . 1:1(0) ack 2
      +0   expect state FIN-WAIT-2`));

  // It covers all that was sent, and the FIN behind it.
  test("of a part of the text leaves the FIN unacknowledged (RFC 9293 3.10.7.4, fifth)", () =>
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

  // Not a byte of the sequence space is skipped at the wrap.
  test("across the wrap of our numbers counts (RFC 9293 3.4)", () =>
    play(`set iss=4294966295
      ${accepted("mss 1000")}
      +0   write 3000
      +0   > . 1:3001(3000) ack 1 x1000
      +.01 < . 1:1(0) ack 1501
      +.01 < . 1:1(0) ack 3001
      +1   expect state ESTABLISHED`));
});

describe("a FIN out of order", () => {
  // Our side has closed for writing; text and FIN come in the wrong order.
  test("in FIN-WAIT-2 counts once all is there (RFC 9293 3.10.7.4, eighth)", () =>
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

  // It acknowledges our FIN as well, ahead of the hole.
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
  // Each has an acknowledgement of its own that reports it.
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

  // All of it lies far below: the peer's own retransmission, or somebody's guess.
  test("from far below the window are refused (RFC 9293 3.10.7.4, first)", () =>
    play(`${accepted()}
      +0 < . -70000:-69000(1000) ack 1
      +0 > . 1:1(0) ack 1 <>
      +0 expect readable 0`));
});

describe("TIME-WAIT", () => {
  // The peer sends again what it sent before its FIN.
  test("answers text that comes again (RFC 9293 3.10.7.4, first)", () =>
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

  // A number below that of the old connection, and no timestamp that says more.
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
