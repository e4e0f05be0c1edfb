import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("RST in SYN-SENT", () => {
  // It must acknowledge our SYN.
  test("is accepted only with the right acknowledgement (RFC 9293 3.10.7.3, second)", () =>
    play(`${SYN_SENT}
      +0   < R 0:0(0)
      +0   < R. 0:0(0) ack 0
      +0   < R. 0:0(0) ack 2
      +0   expect state SYN-SENT
      +.01 < R. 0:0(0) ack 1
      +0   expect error CONNECTION_REFUSED`));

  // A SYN,ACK for an older attempt draws RST, and the right one still works.
  test("answers a SYN,ACK with a wrong acknowledgement (RFC 9293 3.10.7.3, first)", () =>
    play(`${SYN_SENT}
      +0   < S. 0:0(0) ack 100 win 65535 <mss 1000>
      +0   > R 100:100(0)
      +0   < S. 0:0(0) ack 0 win 65535 <mss 1000>
      +0   > R 0:0(0)
      +0   expect state SYN-SENT
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED`));

  // The peer still has an old connection with the same ports, half-open.
  test("answers an ACK of a connection that is gone (RFC 9293 3.5.1)", () =>
    play(`${SYN_SENT}
      +0   < . 0:0(0) ack 100
      +0   > R 100:100(0)
      +0   expect state SYN-SENT`));

  // With the right acknowledgement, but neither SYN nor RST.
  test("an ACK without a SYN is dropped (RFC 9293 3.10.7.3, fifth)", () =>
    play(`${SYN_SENT}
      +0   < . 0:0(0) ack 1
      +0   < P. 1:11(10) ack 1
      +.1  expect state SYN-SENT`));
});

describe("RST in SYN-RECEIVED", () => {
  // At RCV.NXT.
  test("returns to LISTEN (RFC 9293 3.10.7.4, second)", () =>
    play(`${synReceived()}
      +0   < R 1:1(0)
      +0   expect connections 0
      +0   accept = nothing
      +.1  < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>`));

  // In the window, but not at RCV.NXT.
  test("elsewhere in the window is challenged, outside it is dropped (RFC 5961 3.2)", () =>
    play(`${synReceived()}
      +0   < R 100:100(0)
      +0   > . 1:1(0) ack 1
      +0   < R 70000:70000(0)
      +0   expect connections 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // An ACK with a wrong number.
  test("answers an ACK that is not acceptable (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${synReceived()}
      +0   < . 1:1(0) ack 100
      +0   > R 100:100(0)
      +0   < . 1:1(0) ack 0
      +0   > R 0:0(0)
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // The sequence number is checked before the acknowledgement.
  test("does not answer an ACK whose sequence number is outside the window (RFC 9293 3.10.7.4, first)", () =>
    play(`${synReceived()}
      +0   < . 70000:70000(0) ack 100
      +0   > . 1:1(0) ack 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // The peer has restarted and sends a SYN with another ISN.
  test("a SYN with another sequence number is challenged (RFC 9293 3.10.7.4, fourth)", () =>
    play(`${synReceived()}
      +0   < S 5000:5000(0) win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   < R 1:1(0)
      +0   expect connections 0`));
});

describe("RST in ESTABLISHED", () => {
  // Text on a RST is a diagnostic, not data.
  test("may have text, which is not delivered (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   < R 1:11(10)
      +0   expect state CLOSED
      +0   read 100 = CONNECTION_RESET`));

  // A RST is not subject to PAWS.
  test("is accepted with any timestamp (RFC 7323 5.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 1000 ecr 0").replace("110", "1010")}
      +0   < R. 1:1(0) ack 1 <TS val 5 ecr 0>
      +0   expect state CLOSED`));

  // RFC 7323 3.2: with or without the option.
  test("is accepted without a timestamp (RFC 7323 3.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < R 1:1(0)
      +0   expect state CLOSED`));

  // While an ACK is delayed, the peer knows an older acknowledgement number.
  test("is accepted at the last acknowledged number (RFC 5961 3.2)", () =>
    play(`${accepted()}
      +0   < P. 1:101(100) ack 1
      +0   < R 101:101(0)
      +0   expect state CLOSED
      +0   read 1000 = 100
      +0   read 1000 = CONNECTION_RESET`));

  // There is a gap before it.
  test("after a gap is challenged (RFC 5961 3.2)", () =>
    play(`${accepted()}
      +0   < . 1001:2001(1000) ack 1
      +0   > . 1:1(0) ack 1 <sack 1001:2001>
      +0   < R 2001:2001(0)
      +0   > . 1:1(0) ack 1 <sack 1001:2001>
      +0   < R 1:1(0)
      +0   expect state CLOSED`));

  // No flag is set.
  test("a segment without any flag is dropped (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted()}
      +.01 < - 1:1001(1000)
      +0   expect readable 0
      +.01 < . 1:1001(1000) ack 1
      +0   expect readable 1000
      +.04 > . 1:1(0) ack 1001`));

  // A FIN requires ACK too.
  test("a FIN without an ACK is dropped (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted()}
      +.01 < F 1:1(0)
      +.1  expect state ESTABLISHED`));

  // Two forged segments, and one from the peer.
  test("with all flags is processed as RST only (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   < SFRPU. 100:110(10) ack 1 urg 5
      +0   > . 1:1(0) ack 1
      +0   expect readable 0
      +0   < SFRPU. 1:11(10) ack 1 urg 5
      +0   expect state CLOSED
      +0   read 100 = CONNECTION_RESET`));
});

describe("RST while closing", () => {
  // We have sent FIN, the peer has not: our data may be lost.
  test("in FIN-WAIT-2 is an error (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < R. 1:1(0) ack 2
      +0   expect error CONNECTION_RESET`));

  // RFC 1337 3.
  test("in TIME-WAIT is ignored (RFC 1337 3)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +.1  < R 2:2(0)
      +0   expect connections 1
      +.1  < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2`));

  // After our RST the connection is gone, and later segments draw RST.
  test("sent by us leaves no connection (RFC 9293 3.10.7.1)", () =>
    play(`${accepted()}
      +0   abort
      +0   > R. 1:1(0) ack 1
      +.01 < P. 1:101(100) ack 1
      +0   > R 1:1(0)
      +0   < R 101:101(0)
      +.1  expect connections 0`));
});

describe("a listener", () => {
  // Every ACK draws RST; a RST draws nothing.
  test("answers an ACK and a SYN,ACK with RST, a RST with nothing (RFC 9293 3.10.7.2)", () =>
    play(`0    listen
      +0   < . 5:5(0) ack 1000
      +0   > R 1000:1000(0)
      +0   < S. 5:5(0) ack 2000 win 65535
      +0   > R 2000:2000(0)
      +0   < R 5:5(0)
      +0   < R. 5:5(0) ack 1000
      +0   < F 5:5(0)
      +0   < - 5:15(10)
      +.1  expect connections 0`));

  // Connections not accepted are reset.
  test("that is closed resets waiting connections (RFC 9293 3.10.4)", () =>
    play(`${synReceived()}
      +.01 < . 1:1(0) ack 1
      +0   closeListener
      +0   > R. 1:1(0) ack 1
      +.01 <@2 S 0:0(0) win 65535 <mss 1000>
      +0   >@2 R. 0:0(0) ack 1`));
});

describe("timestamps", () => {
  // An ACK of unsent data changes nothing, including TS.Recent.
  test("of a refused segment do not update TS.Recent (RFC 7323 4.3)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < F. 1:1(0) ack 9999 <TS val 200000 ecr 10>
      +0   > . 1:1(0) ack 1 <TS val . ecr 110>
      +0   < . 1:1001(1000) ack 1 <TS val 120 ecr 10>
      +.04 > . 1:1(0) ack 1001 <TS val . ecr 120>`));

  // Text with an older timestamp is dropped and answered.
  test("that are old cause text to be dropped and answered (RFC 7323 5.3)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 1000 ecr 0").replace("110", "2000")}
      +0   < . 1:101(100) ack 1 <TS val 1500 ecr 10>
      +0   > . 1:1(0) ack 1 <TS val . ecr 2000>
      +0   expect readable 0
      +0   < . 1:101(100) ack 1 <TS val 2000 ecr 10>
      +.04 > . 1:1(0) ack 101
      +0   expect readable 100`));

  // RFC 7323 3.2: a segment without agreed timestamps may be dropped; here it is accepted.
  test("may be missing (RFC 7323 3.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < . 1:101(100) ack 1
      +.04 > . 1:1(0) ack 101 <TS val . ecr 110>
      +0   expect readable 100`));
});
