import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

// The pointer refers to the byte after the last urgent one; urgent data is delivered in line.
row(
  241,
  "the urgent pointer is processed and reported to the user",
  `${accepted()}
  +0   < PU. 1:101(100) ack 1 urg 10
  +0   expect urgent 10
  +0   read 5
  +0   expect urgent 5
  +0   read 95
  +0   expect urgent 0
  +.04 > . 1:1(0) ack 101`,
);

// It is reported before the urgent data has arrived, and may be up to 65,535 bytes ahead.
row(
  241,
  "the urgent pointer is processed and reported to the user",
  "ahead of the text",
  `set receiveBuffer=1048576
  ${accepted()}
  +0   < U. 1:1(0) ack 1 urg 65535
  +0   expect urgent 65535
  +0   < P. 1:1001(1000) ack 1 urg 7
  +0   expect urgent 65535
  +0   read 1000
  +0   expect urgent 64535
  +.04 > . 1:1(0) ack 1001`,
);
