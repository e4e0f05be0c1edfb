import { describe, test } from "bun:test";
import { accepted } from "../script/preludes.ts";
import { play } from "./play.ts";

describe("out-of-order text", () => {
  // The last segment arrives first, and so on.
  test("in reverse order is one block that grows downwards (RFC 2018 4)", () =>
    play(`${accepted()}
      +0 < . 3001:4001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 3001:4001>
      +0 < . 2001:3001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 2001:4001>
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 1001:4001>
      +0 < . 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 4001 <>
      +0 expect readable 4000`));

  // Every second segment is lost; they are retransmitted from the last to the first.
  test("keeps each block while gaps are filled from the end (RFC 2018 4)", () =>
    play(`${accepted()}
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 1001:2001>
      +0 < . 3001:4001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
      +0 < . 5001:6001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>
      +0 < . 4001:5001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 3001:6001 1001:2001>
      +0 < . 2001:3001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 1001:6001>
      +0 < . 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 6001 <>
      +0 expect readable 6000`));

  // An acknowledgement is delayed when it arrives.
  test("sends a delayed acknowledgement along with its own (RFC 5681 4.2)", () =>
    play(`${accepted()}
      +0   < . 1:101(100) ack 1
      +.01 < . 201:301(100) ack 1
      +0   > . 1:1(0) ack 101 <sack 201:301>
      +.1  expect readable 100`));

  // The FIN is stored with its text, and processed once the gap is filled.
  test("with a FIN closes the connection when the gap is filled (RFC 9293 3.10.7.4, eighth)", () =>
    play(`${accepted()}
      +0 < FP. 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <...>
      +0 expect state ESTABLISHED
      +0 read 1 = nothing
      +0 < . 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 2002 <>
      +0 expect state CLOSE-WAIT
      +0 read 5000 = 2000
      +0 read 1 = EOF`));

  // A FIN without text, then a segment that repeats a part.
  test("with a bare FIN is reported without the FIN, which is kept (RFC 9293 3.10.7.4)", () =>
    play(`${accepted()}
      +0 < F. 1001:1001(0) ack 1
      +0 > . 1:1(0) ack 1 <...>
      +0 < . 501:1001(500) ack 1
      +0 > . 1:1(0) ack 1 <...>
      +0 < . 1:501(500) ack 1
      +0 > . 1:1(0) ack 1002 <>
      +0 expect state CLOSE-WAIT
      +0 read 5000 = 1000
      +0 read 1 = EOF`));

  // An empty out-of-order segment.
  test("draws no acknowledgement without text (RFC 5681 4.2)", () =>
    play(`${accepted()}
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 1001:2001>
      +0 < . 2001:2001(0) ack 1
      +.5 expect readable 0`));

  // The window ends at 10,001.
  test("is trimmed at the right edge of the window (RFC 9293 3.10.7.4, first)", () =>
    play(`set receiveBuffer=10000
      ${accepted()}
      +0 < . 9501:10501(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 9501:10001>
      +0 < . 1:9501(9500) ack 1
      +0 > . 1:1(0) ack 10001 win 0 <>
      +0 read 20000 = 10000
      +0 > . 1:1(0) ack 10001 win 10000`));

  // The peer counts duplicate ACKs, so each is a segment of its own (RFC 5681 2).
  test("draws one duplicate ACK each without SACK (RFC 5681 4.2)", () =>
    play(`${accepted("mss 1000")}
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <>
      +0 < . 2001:3001(1000) ack 1
      +0 > . 1:1(0) ack 1 <>
      +0 < . 3001:4001(1000) ack 1
      +0 > . 1:1(0) ack 1 <>
      +0 < . 1:1001(1000) ack 1
      +0 > . 1:1(0) ack 4001 <>`));

  // Ten bytes after a gap include urgent data.
  test("reports urgent data at once (RFC 9293 3.8.5)", () =>
    play(`${accepted()}
      +0 < .U 101:111(10) ack 1 urg 10
      +0 > . 1:1(0) ack 1 <sack 101:111>
      +0 expect urgent 110
      +0 < . 1:101(100) ack 1
      +0 > . 1:1(0) ack 111 <>
      +0 read 200 = 110`));

  // The application keeps writing: without SACK blocks on its segments the peer would wait for its
  // timer.
  test("is reported on data segments too (RFC 2018 4)", () =>
    play(`${accepted("mss 1000,sackOK", 3000)}
      +0   write 10000
      +0   > . 1:3001(3000) ack 1 x1000
      +.01 < . 1001:2001(1000) ack 1001 win 3000
      +0   > . 3001:4001(1000) ack 1
      +0   > . 4001:4001(0) ack 1 <sack 1001:2001>
      +.01 < . 2001:3001(1000) ack 2001 win 3000
      +0   > . 4001:5001(1000) ack 1
      +0   > . 5001:5001(0) ack 1 <sack 1001:3001>
      +0   < . 1001:2001(1000) ack 3001 win 3000
      +0   > . 5001:6001(1000) ack 1
      +0   > . 6001:6001(0) ack 1 <sack 1001:2001 1001:3001>
      +0   < . 1:1001(1000) ack 4001 win 3000
      +0   > . 6001:7001(1000) ack 3001`));
});

describe("duplicate text", () => {
  // All of it was acknowledged before.
  test("is reported below the acknowledgement, once (RFC 2883 4.1)", () =>
    play(`${accepted()}
      +0   < . 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   < . 1:1001(1000) ack 1
      +0   > . 1:1(0) ack 1001 <sack 1:1001>
      +0   < . 1001:2001(1000) ack 1
      +0   > . 1:1(0) ack 2001 <>`));

  // Its second half is new.
  test("in the first half of a segment is reported with the acknowledgement of the second (RFC 2883 4.2)", () =>
    play(`${accepted()}
      +0   < . 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   < . 501:2001(1500) ack 1
      +0   > . 1:1(0) ack 2001 <sack 501:1001>
      +0   expect readable 2000`));

  // Two out-of-order blocks; the older one is received again.
  test("out of order is reported, followed by its block (RFC 2883 4.2.1)", () =>
    play(`${accepted()}
      +0 < . 1001:2001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 1001:2001>
      +0 < . 3001:4001(1000) ack 1
      +0 > . 1:1(0) ack 1 <sack 3001:4001 1001:2001>
      +0 < . 1201:1401(200) ack 1
      +0 > . 1:1(0) ack 1 <sack 1201:1401 1001:2001 3001:4001>`));

  // Old BSDs sent a byte with their keep-alives.
  test("as the byte of a keep-alive is reported and answered (RFC 9293 3.8.4)", () =>
    play(`${accepted()}
      +0   < . 1:101(100) ack 1
      +.04 > . 1:1(0) ack 101
      +0   < . 100:101(1) ack 1
      +0   > . 1:1(0) ack 101 <sack 100:101>`));

  // Timestamps take the space of the fourth block.
  test("leaves room for two blocks beside timestamps (RFC 2018 3)", () =>
    play(`${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
      +0 < . 1001:1101(100) ack 1 <TS val 120 ecr 10>
      +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 1001:1101>
      +0 < . 2001:2101(100) ack 1 <TS val 120 ecr 10>
      +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 2001:2101 1001:1101>
      +0 < . 3001:3101(100) ack 1 <TS val 120 ecr 10>
      +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 3001:3101 2001:2101 1001:1101>
      +0 < . 2001:2101(100) ack 1 <TS val 120 ecr 10>
      +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 2001:2101 2001:2101 3001:3101>`));

  // D-SACK requires SACK.
  test("is acknowledged without blocks if there is no SACK (RFC 9293 3.10.7.4)", () =>
    play(`${accepted("mss 1000")}
      +0   < . 1:1001(1000) ack 1
      +.04 > . 1:1(0) ack 1001
      +0   < . 1:1001(1000) ack 1
      +0   > . 1:1(0) ack 1001 <>`));
});

describe("the peer's blocks", () => {
  // Below SND.UNA, above SND.NXT, reversed, or empty.
  test("that are invalid are ignored (RFC 2018 5)", () =>
    play(`${accepted()}
      +0   write 3000
      +0   > . 1:3001(3000) ack 1 x1000
      +.01 < . 1:1(0) ack 1 <sack 2001:9001>
      +0   < . 1:1(0) ack 1 <sack 3001:2001>
      +0   < . 1:1(0) ack 1 <sack 2001:2001>
      +.01~.05 > P. 2001:3001(1000) ack 1
      +.2~.25 > . 1:1001(1000) ack 1
      +.01 < . 1:1(0) ack 3001`));

  // The peer reneges: the retransmission timer retransmits everything.
  test("may be reneged (RFC 2018 8)", () =>
    play(`${accepted()}
      +0   write 2000
      +0   > . 1:2001(2000) ack 1 x1000
      +.01 < . 1:1(0) ack 1 <sack 1001:2001>
      ignoreAcks
      +0~.3 > . 1:1001(1000) ack 1
      +.01 < . 1:1(0) ack 1001
      +.1~.5 > P. 1001:2001(1000) ack 1
      +.01 < . 1:1(0) ack 2001`));
});
