import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("RST in SYN-SENT", () => {
  // Acknowledges our SYN, and only so.
  test("counts with the right acknowledgement alone (RFC 9293 3.10.7.3, second)", () =>
    play(`${SYN_SENT}
      +0   < R 0:0(0)
      +0   < R. 0:0(0) ack 0
      +0   < R. 0:0(0) ack 2
      +0   expect state SYN-SENT
      +.01 < R. 0:0(0) ack 1
      +0   expect error CONNECTION_REFUSED`));

  // A SYN,ACK of an older attempt: it is reset, and the right one still works.
  test("answers a SYN,ACK that acknowledges something else (RFC 9293 3.10.7.3, first)", () =>
    play(`${SYN_SENT}
      +0   < S. 0:0(0) ack 100 win 65535 <mss 1000>
      +0   > R 100:100(0)
      +0   < S. 0:0(0) ack 0 win 65535 <mss 1000>
      +0   > R 0:0(0)
      +0   expect state SYN-SENT
      +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   expect state ESTABLISHED`));

  // An ACK of an old connection of the same ports: half-open on the other side.
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
  // The next number.
  test("returns to LISTEN (RFC 9293 3.10.7.4, second)", () =>
    play(`${synReceived()}
      +0   < R 1:1(0)
      +0   expect connections 0
      +0   accept = nothing
      +.1  < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>`));

  // Somewhere in the window.
  test("with another number is challenged, outside of the window dropped (RFC 5961 3.2)", () =>
    play(`${synReceived()}
      +0   < R 100:100(0)
      +0   > . 1:1(0) ack 1
      +0   < R 70000:70000(0)
      +0   expect connections 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // An ACK of something else.
  test("answers an ACK that is not acceptable (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${synReceived()}
      +0   < . 1:1(0) ack 100
      +0   > R 100:100(0)
      +0   < . 1:1(0) ack 0
      +0   > R 0:0(0)
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // The number is checked before the acknowledgement.
  test("does not answer an ACK with a number outside of the window (RFC 9293 3.10.7.4, first)", () =>
    play(`${synReceived()}
      +0   < . 70000:70000(0) ack 100
      +0   > . 1:1(0) ack 1
      +.01 < . 1:1(0) ack 1
      +0   accept
      +0   expect state ESTABLISHED`));

  // The peer has restarted and asks anew, with another number.
  test("a SYN with another number is challenged (RFC 9293 3.10.7.4, fourth)", () =>
    play(`${synReceived()}
      +0   < S 5000:5000(0) win 65535 <mss 1000>
      +0   > . 1:1(0) ack 1
      +0   < R 1:1(0)
      +0   expect connections 0`));
});

describe("RST in ESTABLISHED", () => {
  // Text on a RST says why, to people; it is not data.
  test("may have text, which is nobody's (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   < R 1:11(10)
      +0   expect state CLOSED
      +0   read 100 = CONNECTION_RESET`));

  // RFC 7323 5.3: a RST is not subject to PAWS.
  test("counts whatever its timestamp (RFC 7323 5.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 1000 ecr 0").replace("110", "1010")}
      +0   < R. 1:1(0) ack 1 <TS val 5 ecr 0>
      +0   expect state CLOSED`));

  // RFC 7323 3.2: with or without the option.
  test("counts without a timestamp (RFC 7323 3.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < R 1:1(0)
      +0   expect state CLOSED`));

  // Behind a delayed acknowledgement the peer knows an older number.
  test("counts at the number that was acknowledged last (RFC 5961 3.2)", () =>
    play(`${accepted()}
      +0   < P. 1:101(100) ack 1
      +0   < R 101:101(0)
      +0   expect state CLOSED
      +0   read 1000 = 100
      +0   read 1000 = CONNECTION_RESET`));

  // A hole is in front of it.
  test("behind a hole is challenged (RFC 5961 3.2)", () =>
    play(`${accepted()}
      +0   < . 1001:2001(1000) ack 1
      +0   > . 1:1(0) ack 1 <sack 1001:2001>
      +0   < R 2001:2001(0)
      +0   > . 1:1(0) ack 1 <sack 1001:2001>
      +0   < R 1:1(0)
      +0   expect state CLOSED`));

  // Neither ACK nor anything: what it says is not looked at.
  test("a segment without any flag is dropped (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted()}
      +.01 < - 1:1001(1000)
      +0   expect readable 0
      +.01 < . 1:1001(1000) ack 1
      +0   expect readable 1000
      +.04 > . 1:1(0) ack 1001`));

  // No FIN without ACK either.
  test("a FIN without an ACK is dropped (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted()}
      +.01 < F 1:1(0)
      +.1  expect state ESTABLISHED`));

  // Two segments of a guesser, one of the peer's.
  test("with all flags is a RST and nothing else (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   < SFRPU. 100:110(10) ack 1 urg 5
      +0   > . 1:1(0) ack 1
      +0   expect readable 0
      +0   < SFRPU. 1:11(10) ack 1 urg 5
      +0   expect state CLOSED
      +0   read 100 = CONNECTION_RESET`));
});

describe("RST while closing", () => {
  // Our FIN is out, the peer's is not: somebody has thrown our text away.
  test("in FIN-WAIT-2 is an error (RFC 9293 3.10.7.4, second)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < R. 1:1(0) ack 2
      +0   expect error CONNECTION_RESET`));

  // RFC 1337 3.
  test("in TIME-WAIT changes nothing (RFC 1337 3)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +.1  < R 2:2(0)
      +0   expect connections 1
      +.1  < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2`));

  // After a RST of our own there is nothing: whatever comes draws a RST.
  test("of ours leaves no connection (RFC 9293 3.10.7.1)", () =>
    play(`${accepted()}
      +0   abort
      +0   > R. 1:1(0) ack 1
      +.01 < P. 1:101(100) ack 1
      +0   > R 1:1(0)
      +0   < R 101:101(0)
      +.1  expect connections 0`));
});

describe("a listener", () => {
  // No RST for a RST, one for every ACK.
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

  // Whoever it was that wanted to be accepted.
  test("that is closed resets who waits (RFC 9293 3.10.4)", () =>
    play(`${synReceived()}
      +.01 < . 1:1(0) ack 1
      +0   closeListener
      +0   > R. 1:1(0) ack 1
      +.01 <@2 S 0:0(0) win 65535 <mss 1000>
      +0   >@2 R. 0:0(0) ack 1`));
});

describe("timestamps", () => {
  // An ACK of what was not sent changes nothing, the timestamp neither.
  test("of a segment that is refused are not remembered (RFC 7323 4.3)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < F. 1:1(0) ack 9999 <TS val 200000 ecr 10>
      +0   > . 1:1(0) ack 1 <TS val . ecr 110>
      +0   < . 1:1001(1000) ack 1 <TS val 120 ecr 10>
      +.04 > . 1:1(0) ack 1001 <TS val . ecr 120>`));

  // Older than what came before: dropped and answered, if it has text.
  test("that are old make text be dropped and answered (RFC 7323 5.3)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 1000 ecr 0").replace("110", "2000")}
      +0   < . 1:101(100) ack 1 <TS val 1500 ecr 10>
      +0   > . 1:1(0) ack 1 <TS val . ecr 2000>
      +0   expect readable 0
      +0   < . 1:101(100) ack 1 <TS val 2000 ecr 10>
      +.04 > . 1:1(0) ack 101
      +0   expect readable 100`));

  // RFC 7323 3.2: once agreed on, a segment without them may be dropped; here it is taken.
  test("that are missing do no harm (RFC 7323 3.2)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0   < . 1:101(100) ack 1
      +.04 > . 1:1(0) ack 101 <TS val . ecr 110>
      +0   expect readable 100`));
});
