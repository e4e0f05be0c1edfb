import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("close()", () => {
  // The SYN,ACK comes after it: nobody is there any more.
  test("in SYN-SENT forgets the attempt, its SYN,ACK draws a RST (RFC 9293 3.10.4)", () =>
    play(`${SYN_SENT}
      +0  close
      +0  expect connections 0
      +.1 < S. 0:0(0) ack 1 win 32000 <mss 1460>
      +0  > R 1:1(0)`));

  // 12,000 bytes are written, ten segments leave, the others and the FIN follow their ACKs.
  test("sends all that was written before the FIN (RFC 9293 3.6)", () =>
    play(`${accepted("mss 1000")}
      +0   write 12000
      +0   > . 1:10001(10000) ack 1 x1000
      +.01 close
      +.01 < . 1:1(0) ack 10001
      +0   > . 10001:11001(1000) ack 1
      +0   > FP. 11001:12001(1000) ack 1
      +.01 < . 1:1(0) ack 12002
      +0   < F. 1:1(0) ack 12002
      +0   > . 12002:12002(0) ack 2
      +0   expect state TIME-WAIT`));

  // The text is acknowledged, its FIN is not: the FIN alone comes again.
  test("resends the FIN alone when that is all that is missing (RFC 9293 3.8.1)", () =>
    play(`${accepted("mss 1000")}
      +0   write 1500
      +0   > . 1:1001(1000) ack 1
      +0   > P. 1001:1501(500) ack 1
      +0   close
      +0   > F. 1501:1501(0) ack 1
      +.01 < . 1:1(0) ack 1501
      ignorePush
      +.01~.25 > F. 1501:1501(0) ack 1
      +.01 < . 1:1(0) ack 1502
      +0   expect state FIN-WAIT-2`));

  // What has come and is not read is lost for the peer: it must learn.
  test("with unread text sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   < . 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   close
      +0   > R. 1:1(0) ack 1001
      +0   expect connections 0`));

  // The peer has said all, and nobody has read it.
  test("with unread text and a FIN sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   < FP. 1:1001(1000) ack 1
      +0   > . 1:1(0) ack 1002
      +0   close
      +0   > R. 1:1(0) ack 1002
      +0   expect connections 0`));

  // Unread text although we have sent our FIN already.
  test("after closeWrite with unread text sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < . 1:1001(1000) ack 2
      +.04 > . 2:2(0) ack 1001
      +0   close
      +0   > R. 2:2(0) ack 1001`));

  // In FIN-WAIT-1 as in FIN-WAIT-2.
  test("makes text that comes later draw a RST (RFC 9293 3.6.1, SHLD-3)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < P. 1:101(100) ack 1
      ignoreAcks
      +0   > R. 2:2(0) ack 1
      +0   expect connections 0`));

  // Nothing is read: nothing is lost.
  test("takes a FIN without text in FIN-WAIT-1 (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 1
      +0   > . 2:2(0) ack 2
      +0   < . 2:2(0) ack 2
      +0   expect state TIME-WAIT`));

  // Nobody waits for the peer's FIN for ever.
  test("leaves FIN-WAIT-2 after a while (RFC 9293 3.6)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +59  expect state FIN-WAIT-2
      +2   expect connections 0`));

  // SO_LINGER 0, in SYN-RECEIVED as later.
  test("with a linger time of 0 sends a RST (RFC 9293 3.10.5)", () =>
    play(`${accepted()}
      +0   linger 0
      +0   write 100
      +0   > P. 1:101(100) ack 1
      +0   close
      +0   > R. 101:101(0) ack 1
      +0   expect connections 0`));

  // The second close finds nothing to do.
  test("twice is once", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +0   close
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +0   close
      +1   expect state TIME-WAIT`));

  // The last ACK was lost: the peer's FIN comes again.
  test("of both sides answers a FIN that comes again (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +.2  < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +.4  < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2`));
});

describe("closeWrite()", () => {
  // The other direction goes on.
  test("lets text come in and be read (RFC 9293 3.6)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < P. 1:1001(1000) ack 2
      +.04 > . 2:2(0) ack 1001
      +0   read 2000 = 1000
      +0   < FP. 1001:1501(500) ack 2
      +0   > . 2:2(0) ack 1502
      +0   read 2000 = 500
      +0   read 1 = EOF
      +0   expect state TIME-WAIT`));

  // RFC 9293 3.10.2: an error, here by taking nothing.
  test("lets nothing be written any more (RFC 9293 3.10.2)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +0   write 100 = 0
      +.01 < . 1:1(0) ack 2
      +0   write 100 = 0`));

  // The peer has said FIN first.
  test("in CLOSE-WAIT is followed by everything that was written (RFC 9293 3.10.4)", () =>
    play(`${accepted("mss 1000")}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   write 11000
      +0   > . 1:10001(10000) ack 2 x1000
      +0   closeWrite
      +.01 < . 2:2(0) ack 10001
      +0   > FP. 10001:11001(1000) ack 2
      +.01 < . 2:2(0) ack 11002
      +0   expect connections 0
      +0   expect error none`));

  // An ACK of all but the FIN changes no state.
  test("in CLOSE-WAIT waits for the ACK of its FIN (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted()}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   closeWrite
      +0   > F. 1:1(0) ack 2
      +.01 < . 2:2(0) ack 1
      +0   expect state LAST-ACK
      +.01 < . 2:2(0) ack 2
      +0   expect connections 0`));

  // The peer's ACK of our FIN was lost, its FIN comes again.
  test("in LAST-ACK a FIN that comes again is answered (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   closeWrite
      +0   > F. 1:1(0) ack 2
      +.01 < F. 1:1(0) ack 1
      +0   > . 2:2(0) ack 2
      +.01 < . 2:2(0) ack 2
      +0   expect connections 0`));

  // LazyProperties for before there is a connection.
  test("in SYN-RECEIVED sends the FIN behind the handshake (RFC 9293 3.10.4)", () =>
    play(`${SYN_SENT}
      +0   < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +0   closeWrite
      +.01 < . 1:1(0) ack 1
      +0   > F. 1:1(0) ack 1
      +0   expect state FIN-WAIT-1`));
});

describe("the peer's FIN", () => {
  // With text, as one segment.
  test("comes with text that is read before it (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   < P. 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   < FP. 1001:2001(1000) ack 1
      +0   > . 1:1(0) ack 2002
      +0   expect readable 2000
      +0   read 5000 = 2000
      +0   read 1 = EOF`));

  // Nothing can follow it.
  test("ends the text: what comes behind it is not taken (RFC 9293 3.10.7.4, seventh)", () =>
    play(`${accepted()}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   < P. 2:102(100) ack 1
      ignoreAcks
      +.1  read 100 = EOF
      +0   expect state CLOSE-WAIT`));

  // Of a connection that nobody has accepted.
  test("before accept() is found by it (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${synReceived()}
      +.01 < . 1:1(0) ack 1
      +0   < FP. 1:101(100) ack 1
      +0   > . 1:1(0) ack 102
      +.1  accept
      +0   read 1000 = 100
      +0   read 1 = EOF
      +0   write 10
      +0   > P. 1:11(10) ack 102`));

  // Instead of the handshake's last ACK.
  test("completes the handshake as well (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${synReceived()}
      +.01 < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   accept
      +0   expect state CLOSE-WAIT
      +0   read 1 = EOF`));

  // It is beyond the window, which 10,000 bytes fill.
  test("is not taken beyond the window (RFC 9293 3.10.7.4, first)", () =>
    play(`set receiveBuffer=10000
      ${accepted()}
      +0   < . 1:10001(10000) ack 1
      +0   > . 1:1(0) ack 10001 win 0
      +0   < FP. 10001:10101(100) ack 1
      +0   > . 1:1(0) ack 10001 win 0
      +0   expect state ESTABLISHED
      +0   read 20000 = 10000
      +0   > . 1:1(0) ack 10001 win 10000
      +0   < FP. 10001:10101(100) ack 1
      +0   > . 1:1(0) ack 10102
      +0   read 1000 = 100
      +0   read 1 = EOF`));
});
