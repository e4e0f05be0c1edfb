import { expect, test } from "bun:test";
import { parseStackConfig } from "../../core/api/config.ts";
import { inEstablished } from "../support/dsl/builders.ts";
import { encodeTcp } from "../support/dsl/encode.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

// 40 ms by default; 500 cannot be set.
row(
  118,
  "an ACK is delayed, by less than 500 ms",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101`,
);
row(118, "an ACK is delayed, by less than 500 ms", "settable", () => {
  const config = (delayedAckMs: number) =>
    parseStackConfig({ addresses: ["10.0.0.2/24"], tcp: { delayedAckMs } });
  expect(() => config(500)).toThrow("delayedAckMs");
  expect(config(499).tcp.delayedAckMs).toBe(499);
});

// Segments of our MSS.
row(
  119,
  "at least every second full-sized segment is acknowledged",
  `set receiveBuffer=1048576
  ${accepted("mss 1460,sackOK")}
  +0   < . 1:1461(1460) ack 1
  +0   < . 1461:2921(1460) ack 1
  +0   > . 1:1(0) ack 2921
  +0   < . 2921:4381(1460) ack 1
  +0   < . 4381:5841(1460) ack 1
  +0   > . 1:1(0) ack 5841
  +0   < . 5841:7301(1460) ack 1
  +.04 > . 1:1(0) ack 7301`,
);

// No separate ACK follows.
row(
  120,
  "a delayed ACK is piggybacked on text",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.02 write 50
  +0   > P. 1:51(50) ack 101
  +.01 < . 101:101(0) ack 51
  +1   expect state ESTABLISHED`,
);

// Together with text whose ACK could have been delayed.
row(
  121,
  "a FIN is acknowledged at once",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.01 < F. 101:101(0) ack 1
  +0   > . 1:1(0) ack 102`,
);

// Five segments are received before the stack sends.
row(122, "segments received together draw one ACK", () => {
  const t = inEstablished({ profile: "internet" });
  t.wire.step((stack) => {
    for (let i = 0; i < 5; i++) {
      const packet = encodeTcp({
        source: t.remote,
        destination: t.local,
        sourcePort: t.remotePort,
        destinationPort: t.localPort,
        seq: t.irs + 1 + i * 1460,
        ack: t.iss + 1,
        flags: 16,
        window: 65535,
        text: new Uint8Array(1460),
      });
      stack.receive(packet, packet.length, "full", 0, t.wire.now);
    }
  });
  t.recv({ ack: 7301 });
  t.recvNothing();
});

// 200 at once, without a read.
row(
  123,
  "a burst of 200 segments is all received and acknowledged",
  `set receiveBuffer=1048576
  ${accepted("mss 300,wscale 7")}
  +0     ignoreAcks
  +0     < . 1:60001(60000) ack 1 x300
  +.1    read 100000 = 60000
  +0     write 10
  +0     > P. 1:11(10) ack 60001`,
);

// Otherwise two stacks would acknowledge each other forever.
row(
  124,
  "an empty ACK is never acknowledged",
  `${accepted()}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +.01 < . 1:1(0) ack 101
  +0   < . 1:1(0) ack 101 win 1000
  +0   < . 1:1(0) ack 101 win 2000
  +1   expect state ESTABLISHED`,
);
