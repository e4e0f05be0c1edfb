import { describe, test } from "bun:test";
import { accepted, SYN_SENT, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("close()", () => {
  // The SYN,ACK arrives after the connection is gone.
  test("in SYN-SENT ends the attempt, and a later SYN,ACK draws RST (RFC 9293 3.10.4)", () =>
    play(`${SYN_SENT}
      +0  close
      +0  expect connections 0
      +.1 < S. 0:0(0) ack 1 win 32000 <mss 1460>
      +0  > R 1:1(0)`));

  // 12,000 bytes are written: ten segments are sent at once, the others and the FIN after the ACKs.
  test("sends all written data before the FIN (RFC 9293 3.6)", () =>
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

  // The text is acknowledged but not the FIN: only the FIN is retransmitted.
  test("retransmits only the FIN if only that is unacknowledged (RFC 9293 3.8.1)", () =>
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

  // The peer has to learn that unread data is lost.
  test("with unread text sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   < . 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   close
      +0   > R. 1:1(0) ack 1001
      +0   expect connections 0`));

  // The peer has sent everything, and it has not been read.
  test("with unread text and a FIN sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   < FP. 1:1001(1000) ack 1
      +0   > . 1:1(0) ack 1002
      +0   close
      +0   > R. 1:1(0) ack 1002
      +0   expect connections 0`));

  // Our FIN has already been sent.
  test("after closeWrite with unread text sends a RST (RFC 2525 2.17)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +0   < . 1:1001(1000) ack 2
      +.04 > . 2:2(0) ack 1001
      +0   close
      +0   > R. 2:2(0) ack 1001`));

  // In FIN-WAIT-1 and FIN-WAIT-2.
  test("answers later text with RST (RFC 9293 3.6.1, SHLD-3)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < P. 1:101(100) ack 1
      ignoreAcks
      +0   > R. 2:2(0) ack 1
      +0   expect connections 0`));

  // No data is lost.
  test("accepts a FIN without text in FIN-WAIT-1 (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < F. 1:1(0) ack 1
      +0   > . 2:2(0) ack 2
      +0   < . 2:2(0) ack 2
      +0   expect state TIME-WAIT`));

  // The peer never sends its FIN.
  test("leaves FIN-WAIT-2 after a timeout (RFC 9293 3.6)", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +.01 < . 1:1(0) ack 2
      +59  expect state FIN-WAIT-2
      +2   expect connections 0`));

  // SO_LINGER 0, in SYN-RECEIVED as in later states.
  test("with a linger time of 0 sends a RST (RFC 9293 3.10.5)", () =>
    play(`${accepted()}
      +0   linger 0
      +0   write 100
      +0   > P. 1:101(100) ack 1
      +0   close
      +0   > R. 101:101(0) ack 1
      +0   expect connections 0`));

  // The second close has no effect.
  test("has no effect when called again", () =>
    play(`${accepted()}
      +0   close
      +0   > F. 1:1(0) ack 1
      +0   close
      +.01 < F. 1:1(0) ack 2
      +0   > . 2:2(0) ack 2
      +0   close
      +1   expect state TIME-WAIT`));

  // The last ACK was lost, so the peer retransmits its FIN.
  test("of both sides acknowledges a retransmitted FIN (RFC 9293 3.10.7.4, eighth)", () =>
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
  // The other direction stays open.
  test("leaves the receive direction open (RFC 9293 3.6)", () =>
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

  // RFC 9293 3.10.2: an error; here write accepts nothing.
  test("refuses further writes (RFC 9293 3.10.2)", () =>
    play(`${accepted()}
      +0   closeWrite
      +0   > F. 1:1(0) ack 1
      +0   write 100 = 0
      +.01 < . 1:1(0) ack 2
      +0   write 100 = 0`));

  // The peer has sent FIN first.
  test("in CLOSE-WAIT sends all written data first (RFC 9293 3.10.4)", () =>
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

  // An ACK of everything but the FIN does not change the state.
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

  // The peer retransmits its FIN.
  test("in LAST-ACK acknowledges a retransmitted FIN (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   closeWrite
      +0   > F. 1:1(0) ack 2
      +.01 < F. 1:1(0) ack 1
      +0   > . 2:2(0) ack 2
      +.01 < . 2:2(0) ack 2
      +0   expect connections 0`));

  // Called before the handshake is complete.
  test("in SYN-RECEIVED sends the FIN after the handshake (RFC 9293 3.10.4)", () =>
    play(`${SYN_SENT}
      +0   < S 0:0(0) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +0   closeWrite
      +.01 < . 1:1(0) ack 1
      +0   > F. 1:1(0) ack 1
      +0   expect state FIN-WAIT-1`));
});

describe("the peer's FIN", () => {
  // Text and FIN in one segment.
  test("follows the text of its segment (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0   < P. 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   < FP. 1001:2001(1000) ack 1
      +0   > . 1:1(0) ack 2002
      +0   expect readable 2000
      +0   read 5000 = 2000
      +0   read 1 = EOF`));

  // No text can follow it.
  test("ends the text, and later text is dropped (RFC 9293 3.10.7.4, seventh)", () =>
    play(`${accepted()}
      +0   < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   < P. 2:102(100) ack 1
      ignoreAcks
      +.1  read 100 = EOF
      +0   expect state CLOSE-WAIT`));

  // On a connection not accepted yet.
  test("before accept() is seen after it (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${synReceived()}
      +.01 < . 1:1(0) ack 1
      +0   < FP. 1:101(100) ack 1
      +0   > . 1:1(0) ack 102
      +.1  accept
      +0   read 1000 = 100
      +0   read 1 = EOF
      +0   write 10
      +0   > P. 1:11(10) ack 102`));

  // On the segment that replaces the final ACK.
  test("can complete the handshake (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${synReceived()}
      +.01 < F. 1:1(0) ack 1
      +0   > . 1:1(0) ack 2
      +0   accept
      +0   expect state CLOSE-WAIT
      +0   read 1 = EOF`));

  // The window is filled by 10,000 bytes.
  test("is not accepted beyond the window (RFC 9293 3.10.7.4, first)", () =>
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
