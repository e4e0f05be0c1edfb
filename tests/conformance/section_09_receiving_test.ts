import { expect, test } from "bun:test";
import { MAX_HOLES } from "../../core/buffers/receive_ring.ts";
import { inEstablished } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// Two segments, read at once and compared with the data sent.
row(
  105,
  "text in order is delivered and acknowledged",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.01 < P. 101:301(200) ack 1
  +.03 > . 1:1(0) ack 301
  +0   read 1000 = 300
  +0   read 1 = nothing`,
);

// The second 100 bytes arrive last.
row(
  106,
  "out-of-order text is kept until the gap is filled",
  `${accepted()}
  +0 < . 1:101(100) ack 1
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 101
  +0 read 1000 = 100
  +0 < . 301:401(100) ack 1
  +0 > . 1:1(0) ack 101
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 401
  +0 read 1000 = 300`,
);

// Each of them, not every second one.
row(
  107,
  "out-of-order text draws an ACK at once",
  `${accepted()}
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 101:201>
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 101:301>
  +0 < . 301:401(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 101:401>`,
);
row(
  107,
  "out-of-order text draws an ACK at once",
  "without SACK",
  `${accepted("mss 1000")}
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1 <>
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 1 <>`,
);

// A whole gap, and only the start of one.
row(
  108,
  "text that fills a gap is acknowledged at once",
  `${accepted()}
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1
  +0 < . 1:51(50) ack 1
  +0 > . 1:1(0) ack 51
  +0 < . 51:101(50) ack 1
  +0 > . 1:1(0) ack 201 <>`,
);

// 1,000 single bytes with gaps between them.
row(109, "a flood of out-of-order text is bounded and blocks nothing", () => {
  const t = inEstablished({ ...internet, tcp: { receiveBuffer: 65535 } });
  for (let seq = 2; seq <= 2000; seq += 2) {
    t.send({ seq, data: 1 });
    t.recv();
  }
  expect(t.tcb.receive.outOfOrder!.count).toBeLessThanOrEqual(MAX_HOLES);
  t.send({ seq: 1, data: 1 });
  t.recv({ ack: 3 });
  t.send({ seq: 3, data: 1000 });
  t.recv({ ack: 1003 });
  expect(t.read()).toBe(1002);
});

// Duplicate bytes are identical; each is counted once.
row(
  110,
  "of overlapping segments each byte is delivered once",
  `${accepted()}
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1
  +0 < . 51:151(100) ack 1
  +0 > . 1:1(0) ack 1
  +0 < . 151:251(100) ack 1
  +0 > . 1:1(0) ack 1
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1
  +0 < . 1:301(300) ack 1
  +0 > . 1:1(0) ack 301
  +0 < . 201:301(100) ack 1
  +0 > . 1:1(0) ack 301
  +0 read 1000 = 300`,
);

// 4,096 bytes were offered and are stored; more are dropped.
row(
  111,
  "text beyond the buffer is not accepted",
  `set receiveBuffer=4096
  ${accepted()}
  +0   < P. 1:4097(4096) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +0   < P. 4097:5097(1000) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +0   expect readable 4096
  +0   read 4096
  +0   > . 1:1(0) ack 4097 win 4096
  +0   read 1 = nothing`,
);

// 20 times through a buffer of 4,096 bytes, in pieces that are no divisor of its size.
row(112, "the receive buffer wraps around correctly", () => {
  const t = inEstablished({ ...internet, tcp: { receiveBuffer: 4096, delayedAckMs: 0 } });
  for (let i = 0; i < 60; i++) {
    t.send({ data: 1367 });
    t.recvAll();
    let read = 0;
    while (read < 1367) read += t.read(389);
    t.recvAll();
    expect(read).toBe(1367);
  }
});

// It is stored: filling the gap is enough.
row(
  113,
  "an out-of-order FIN waits until the gap is filled",
  `${accepted()}
  +0 < F. 101:101(0) ack 1
  +0 > . 1:1(0) ack 1
  +0 expect state ESTABLISHED
  +0 < . 1:101(100) ack 1
  +0 > . 1:1(0) ack 102
  +0 expect state CLOSE-WAIT
  +0 read 100
  +0 read 1 = EOF`,
);

// 1 to 101 never arrived, so the end was not reached.
row(
  114,
  "a RST after an out-of-order FIN is an error, not end of file",
  `${accepted()}
  +0 < F. 101:101(0) ack 1
  +0 > . 1:1(0) ack 1
  +0 < R 1:1(0)
  +0 read 1 = CONNECTION_RESET`,
);

// No segment has PSH.
row(
  115,
  "text is delivered without PSH",
  `${accepted()}
  +0   < . 1:101(100) ack 1
  +0   read 100
  +.04 > . 1:1(0) ack 101`,
);

// The first half was received before.
row(
  116,
  "old text before new text and FIN is trimmed",
  `${accepted()}
  +0 < . 1:101(100) ack 1
  +0 < F. 51:201(150) ack 1
  +0 > . 1:1(0) ack 202
  +0 expect state CLOSE-WAIT
  +0 read 1000 = 200
  +0 read 1 = EOF`,
);

// The newest block is first, followed by the others; a D-SACK precedes them all.
row(
  117,
  "SACK blocks: D-SACK first, then newest first, 3 with timestamps, 4 without",
  "without timestamps",
  `${accepted()}
  +0 < . 101:201(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 101:201>
  +0 < . 301:401(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 301:401 101:201>
  +0 < . 501:601(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 501:601 301:401 101:201>
  +0 < . 701:801(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 701:801 501:601 301:401 101:201>
  +0 < . 901:1001(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 901:1001 701:801 501:601 301:401>
  +0 < . 401:501(100) ack 1
  +0 > . 1:1(0) ack 1 <sack 301:601 901:1001 701:801 101:201>
  +0 < . 1:101(100) ack 1
  +0 > . 1:1(0) ack 201
  +0 < . 1:101(100) ack 1
  +0 > . 1:1(0) ack 201 <sack 1:101 301:601 901:1001 701:801>`,
);
row(
  117,
  "SACK blocks: D-SACK first, then newest first, 3 with timestamps, 4 without",
  "with timestamps",
  `${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
  +0 < . 101:201(100) ack 1 <TS val 110 ecr 0>
  +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 101:201>
  +0 < . 301:401(100) ack 1 <TS val 110 ecr 0>
  +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 301:401 101:201>
  +0 < . 501:601(100) ack 1 <TS val 110 ecr 0>
  +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 501:601 301:401 101:201>
  +0 < . 701:801(100) ack 1 <TS val 110 ecr 0>
  +0 > . 1:1(0) ack 1 <TS val . ecr 110,sack 701:801 501:601 301:401>`,
);
