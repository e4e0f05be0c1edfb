import { expect, test } from "bun:test";
import { initialSequence, KeyedHash } from "../../core/tcp/isn.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { inSynSent } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

// The SYN has number 2^32 - 501, so that the first segment and its ACK cross the wrap.
row(
  18,
  "sending across 2^32 works",
  `set iss=4294966795
  ${accepted()}
  +0   write 3000
  +0   > . 1:3001(3000) ack 1 x1000
  +.01 < . 1:1(0) ack 1001
  +0   < . 1:1(0) ack 3001
  +0   write 1000
  +0   > P. 3001:4001(1000) ack 1
  +.21~.3 > P. 3001:4001(1000) ack 1
  +.01 < . 1:1(0) ack 4001`,
);

// Gaps on both sides of 2^32, with a SACK block across it.
row(
  19,
  "receiving across 2^32 works, SACK blocks included",
  `set irs=4294966795
  ${accepted()}
  +0  < . 101:201(100) ack 1
  +0  > . 1:1(0) ack 1 <sack 101:201>
  +0  < . 401:601(200) ack 1
  +0  > . 1:1(0) ack 1 <sack 401:601 101:201>
  +0  < . 701:801(100) ack 1
  +0  > . 1:1(0) ack 1 <sack 701:801 401:601 101:201>
  +0  < . 1:101(100) ack 1
  +0  > . 1:1(0) ack 201 <sack 701:801 401:601>
  +0  < . 201:401(200) ack 1
  +0  > . 1:1(0) ack 601 <sack 701:801>
  +0  < . 601:701(100) ack 1
  +0  > . 1:1(0) ack 801 <>
  +0  read 800`,
);

// One tick is 4 microseconds: a second later the ISN of the same connection is 250,000 higher.
row(20, "the ISN is a clock plus a keyed hash of addresses and ports", "clock", () => {
  const isn = (start: number) => inSynSent({ profile: "internet", start }).iss;
  expect((isn(1_001_000) - isn(1_000_000)) >>> 0).toBe(250_000);
  expect((isn(1_000_004) - isn(1_000_000)) >>> 0).toBe(1000);
});

// Another port, address or key gives an unrelated ISN.
row(20, "the ISN is a clock plus a keyed hash of addresses and ports", "hash", () => {
  const key = (first: number) =>
    new KeyedHash(Uint8Array.from({ length: 16 }, (_, i) => first + i));
  const here = IpAddress.parse("10.0.0.2")!;
  const isn = (secret: number, address: string, port: number) =>
    initialSequence(key(secret), here, 80, IpAddress.parse(address)!, port, 0) >>> 0;
  const numbers = [isn(1, "10.0.0.1", 5000), isn(2, "10.0.0.1", 5000), isn(1, "10.0.0.3", 5000)];
  for (let port = 5001; port < 5100; port++) numbers.push(isn(1, "10.0.0.1", port));
  expect(new Set(numbers).size).toBe(numbers.length);
  const steps = numbers.slice(1).map((number, i) => (number - numbers[i]!) >>> 0);
  expect(new Set(steps).size).toBe(steps.length);
});

// SYN,ACK, text, its retransmission, an ACK and a FIN each carry the time of sending.
row(
  21,
  "timestamps never go back on a connection",
  `0    listen
  +0   < S 0:0(0) win 65535 <mss 1000,TS val 100 ecr 0>
  +0   > S. 0:0(0) ack 1 <mss 1460,TS val 0 ecr 100>
  +.01 < . 1:1(0) ack 1 <TS val 110 ecr 0>
  +0   accept
  +.05 write 10
  +0   > P. 1:11(10) ack 1 <TS val 60 ecr 110>
  +.21 > P. 1:11(10) ack 1 <TS val 270 ecr 110>
  +.01 < P. 1:11(10) ack 11 <TS val 380 ecr 270>
  +.04 > . 11:11(0) ack 11 <TS val 320 ecr 380>
  +.03 read 10
  +0   closeWrite
  +0   > F. 11:11(0) ack 11 <TS val 350 ecr 380>`,
);
