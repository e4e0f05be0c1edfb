import { describe, test } from "bun:test";
import { accepted, synReceived } from "../script/preludes.ts";
import { play } from "./play.ts";

const FULL = `set receiveBuffer=10000
  ${accepted()}
  +0 < . 1:10001(10000) ack 1
  +0 > . 1:1(0) ack 10001 win 0`;

describe("a receive window of zero", () => {
  // Nothing is stored, and each probe is answered.
  test("answers each one-byte probe (RFC 9293 3.8.6.1)", () =>
    play(`${FULL}
      +.2 < . 10001:10002(1) ack 1
      +0  > . 1:1(0) ack 10001 win 0
      +.1 < . 10001:10002(1) ack 1
      +0  > . 1:1(0) ack 10001 win 0
      +0  expect readable 10000`));

  // Linux probes with an empty segment below the window.
  test("answers probes without text (RFC 9293 3.8.6.1)", () =>
    play(`${FULL}
      +.6 < . 10000:10000(0) ack 1
      +0  > . 1:1(0) ack 10001 win 0
      +.6 < . 10000:10000(0) ack 1
      +0  > . 1:1(0) ack 10001 win 0`));

  // RFC 9293 3.8.6.2.2: 999 bytes are less than a segment, and less than half of the buffer.
  test("opens by a segment or half the buffer (RFC 9293 3.8.6.2.2)", () =>
    play(`${FULL}
      +0 read 999
      +1 read 400
      +1 read 61
      +0 > . 1:1(0) ack 10001 win 1460`));

  // The ACK field is processed although the text is dropped.
  test("accepts acknowledgements (RFC 9293 3.10.7.4, first)", () =>
    play(`${FULL}
      +0   write 1000
      +0   > P. 1:1001(1000) ack 10001
      +.01 < . 10001:10001(0) ack 1001
      +1   expect readable 10000`));

  // The ACK field of a segment with text is processed.
  test("accepts the acknowledgement of a segment whose text does not fit (RFC 9293 3.10.7.4, first)", () =>
    play(`${FULL}
      +0   write 1000
      +0   > P. 1:1001(1000) ack 10001
      +.01 < . 10001:10501(500) ack 1001
      +0   > . 1001:1001(0) ack 10001 win 0
      +1   expect readable 10000`));

  // A FIN needs no buffer.
  test("accepts a FIN without text (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${FULL}
      +0 < F. 10001:10001(0) ack 1
      +0 > . 1:1(0) ack 10002
      +0 expect state CLOSE-WAIT
      +0 read 20000 = 10000
      +0 read 1 = EOF`));

  // At RCV.NXT.
  test("accepts a RST (RFC 9293 3.10.7.4, second)", () =>
    play(`${FULL}
      +0 < R 10001:10001(0)
      +0 expect state CLOSED
      +0 read 20000 = 10000
      +0 read 1 = CONNECTION_RESET`));

  // Urgent data is reported even without room for it.
  test("processes urgent pointers (RFC 9293 3.10.7.4, first, MUST-66)", () =>
    play(`${FULL}
      +0 < U. 10001:10011(10) ack 1 urg 10
      +0 > . 1:1(0) ack 10001 win 0
      +0 expect urgent 10010`));

  // A part fits, the rest is retransmitted.
  test("can arise in the middle of a segment (RFC 9293 3.10.7.4, first)", () =>
    play(`set receiveBuffer=10000
      ${accepted()}
      +0   < . 1:9901(9900) ack 1
      +0   > . 1:1(0) ack 9901
      +0   < . 9901:10401(500) ack 1
      +0   > . 1:1(0) ack 10001 win 0
      +0   read 20000 = 10000
      +0   > . 1:1(0) ack 10001 win 10000
      +0   < . 10001:10401(400) ack 1
      +.04 > . 1:1(0) ack 10401
      +0   read 1000 = 400
      +.1  expect readable 0`));

  // The offered right edge does not move.
  test("never retracts an offered window (RFC 9293 3.8.6, SHLD-14)", () =>
    play(`set receiveBuffer=10000
      ${accepted()}
      +0 < . 1:3001(3000) ack 1
      +0 > . 1:1(0) ack 3001 win 7000
      +0 < . 3001:6001(3000) ack 1
      +0 > . 1:1(0) ack 6001 win 4000
      +0 read 1000
      +0 < . 6001:10001(4000) ack 1
      +0 > . 1:1(0) ack 10001 win 0`));
});

describe("the peer's window of zero", () => {
  // From the handshake on.
  test("in the SYN is probed when there is something to send (RFC 9293 3.8.6.1)", () =>
    play(`0     listen
      ignorePush
      +0    < S 0:0(0) win 0 <mss 1000>
      +0    > S. 0:0(0) ack 1 <...>
      +.01  < . 1:1(0) ack 1 win 0
      +0    accept
      +0    write 500
      +.2~.22 > P. 1:2(1) ack 1
      +.01  < . 1:1(0) ack 1 win 0
      +.38~.43 > P. 1:2(1) ack 1
      +.01  < . 1:1(0) ack 1 win 1000
      +0    > P. 1:2(1) ack 1
      +0    > P. 2:501(499) ack 1`));

  // 3,000 bytes are in flight when it closes: they are not lost, and cwnd is not reduced.
  test("over outstanding text is not congestion (RFC 9293 3.8.6.1)", () =>
    play(`${accepted("mss 1000")}
      ignorePush
      +0    write 3000
      +0    > . 1:3001(3000) ack 1 x1000
      +.01  < . 1:1(0) ack 1001 win 0
      +.2~.3 > . 1001:1002(1) ack 1
      +0    expect ssthresh Infinity
      +.01  < . 1:1(0) ack 1001 win 3000
      +0    > . 1001:1002(1) ack 1
      +0    > . 1002:2001(999) ack 1
      +0    > . 2001:3001(1000) ack 1
      +.01  < . 1:1(0) ack 3001 win 3000
      +0    expect state ESTABLISHED`));

  // It shrinks to half the flight.
  test("that only shrank limits sending at its right edge (RFC 9293 3.8.6, MUST-34)", () =>
    play(`${accepted("mss 1000", 4000)}
      +0    write 6000
      +0    > . 1:4001(4000) ack 1 x1000
      +.01  < . 1:1(0) ack 1001 win 1000
      +.01  < . 1:1(0) ack 2001 win 1000
      +.01  < . 1:1(0) ack 4001 win 2000
      +0    > . 4001:6001(2000) ack 1 x1000
      +.01  < . 1:1(0) ack 6001`));

  // An old segment has an outdated window (SND.WL1, SND.WL2).
  test("is not set by old segments (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${accepted("mss 1000", 2000)}
      +0    write 4000
      +0    > . 1:2001(2000) ack 1 x1000
      +.01  < . 1:101(100) ack 2001 win 2000
      +0    > . 2001:4001(2000) ack 101 x1000
      +.01  < . 1:1(0) ack 1001 win 0
      +0    > . 4001:4001(0) ack 101
      +.01  < . 101:101(0) ack 4001 win 2000
      +0    write 1000
      +0    > P. 4001:5001(1000) ack 101`));

  // A FIN has its own sequence number.
  test("does not delay a FIN without text (RFC 9293 3.8.6.1)", () =>
    play(`${accepted("mss 1000")}
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    closeWrite
      +0    > F. 1001:1001(0) ack 1
      +.01  < . 1:1(0) ack 1002 win 0
      +0    expect state FIN-WAIT-2`));

  // The window update was lost.
  test("that has opened is discovered by the next probe (RFC 9293 3.8.6.1)", () =>
    play(`${accepted("mss 1000")}
      ignorePush
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    write 3000
      +.2~.22 > P. 1001:1002(1) ack 1
      +.01  < . 1:1(0) ack 1002 win 5000
      +0    > . 1002:4001(2999) ack 1 x1000`));

  // A window of five bytes, with 500 to send.
  test("that opens by a few bytes is not filled with them (RFC 9293 3.8.6.2.1)", () =>
    play(`${accepted("mss 1000")}
      ignorePush
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    write 500
      +.05  < . 1:1(0) ack 1001 win 5
      +.1~.25 > . 1001:1006(5) ack 1`));

  // The window scale applies to all segments but SYNs.
  test("is scaled like any other (RFC 7323 2.3)", () =>
    play(`${accepted("mss 1000,wscale 7", 8)}
      ignorePush
      +0    write 3000
      +0    > . 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +.2~.25 > . 1001:1002(1) ack 1
      +.01  < . 1:1(0) ack 1001 win 16
      +0    > . 1001:1002(1) ack 1
      +0    > . 1002:2002(1000) ack 1
      +0    > . 2002:3001(999) ack 1`));

  // The peer is gone.
  test("whose probes are not answered ends the connection (RFC 9293 3.8.3)", () =>
    play(`set userTimeoutMs=2000
      ${accepted("mss 1000")}
      ignorePush
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    write 500
      +.2~.22 > P. 1001:1002(1) ack 1
      +.4~.44 > P. 1001:1002(1) ack 1
      +.8~.88 > P. 1001:1002(1) ack 1
      +.5~2.5 > R. 1002:1002(0) ack 1
      +0    expect error TIMED_OUT`));

  // The peer answers each probe.
  test("whose probes are answered may last (RFC 9293 3.8.6.1, MUST-37)", () =>
    play(`set userTimeoutMs=1000
      ${accepted("mss 1000")}
      ignorePush
      +0    write 1000
      +0    > P. 1:1001(1000) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    write 500
      +.2~.22 > P. 1001:1002(1) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +.4~.44 > P. 1001:1002(1) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +.8~.88 > P. 1001:1002(1) ack 1
      +.01  < . 1:1(0) ack 1001 win 0
      +0    expect state ESTABLISHED`));
});

describe("text in the handshake", () => {
  // The final ACK carries the first request.
  test("comes with the last ACK (RFC 9293 3.10.7.4, seventh)", () =>
    play(`${synReceived()}
      +.01 < P. 1:101(100) ack 1
      +0   accept
      +0   read 1000 = 100
      +.04 > . 1:1(0) ack 101`));

  // The final ACK was lost, but not the request.
  test("comes without the last ACK (RFC 9293 3.10.7.4, fifth)", () =>
    play(`${synReceived()}
      +.01 < P. 101:201(100) ack 1
      +0   > . 1:1(0) ack 1 <sack 101:201>
      +0   accept
      +0   < P. 1:101(100) ack 1
      +0   > . 1:1(0) ack 201
      +0   expect readable 200`));

  // Without a Fast Open cookie (RFC 7413) its source is not verified.
  test("on the SYN is not acknowledged, and retransmitted (RFC 9293 3.10.7.2)", () =>
    play(`0    listen
      +0   < S 0:500(500) win 65535 <mss 1000>
      +0   > S. 0:0(0) ack 1 <...>
      +.01 < P. 1:501(500) ack 1
      +0   accept
      +0   read 1000 = 500
      +.04 > . 1:1(0) ack 501`));
});
