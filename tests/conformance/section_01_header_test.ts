import { expect, test } from "bun:test";
import { parseStackConfig } from "../../core/api/config.ts";
import { inEstablished, inListen } from "../support/dsl/builders.ts";
import { peerPacket, withChecksum } from "./packets.ts";
import { rowsWith } from "./row.ts";
import { accepted, synReceived } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// An independent decoder recomputes the checksum of everything that the stack sends.
for (const version of [4, 6]) {
  row(
    1,
    "the checksum of every segment sent is right, pseudo-header included",
    `IPv${version}`,
    `set version=${version}
    ${accepted("mss 1000,sackOK,TS val 100 ecr 0")}
    +0  write 501
    +0  > P. 1:502(501) ack 1
    +.01 < P. 1:4(3) ack 502 <TS val 120 ecr 0>
    +.04 > . 502:502(0) ack 4
    +0  read 3
    +0  close
    +0  > F. 502:502(0) ack 4`,
  );
}

// One bit is wrong: there is no answer, and the connection is not affected.
row(2, "a segment with a wrong checksum is dropped without an answer", () => {
  const t = inEstablished(internet);
  t.send({ seq: 1, data: 10, checksumError: 1 });
  t.recvNothing();
  t.send({ seq: 1, data: 10 });
  t.recv({ at: 40, ack: 11 });
  expect(t.wire.stack.stats.dropped("tcp-checksum")).toBe(1);
});

// 4 words are too few, 6 more than the segment has; there is no answer.
for (const words of [0, 4, 6, 15]) {
  row(
    3,
    "a data offset below 5 or beyond the end is dropped without an answer",
    `offset ${words}`,
    () => {
      const t = inEstablished(internet);
      const packet = peerPacket(t, { seq: 1, ack: 1, flags: 16 });
      packet[32] = words << 4;
      t.wire.inject(withChecksum(t, packet));
      t.recvNothing();
      expect(t.wire.stack.stats.dropped("tcp-offset")).toBe(1);
      expect(t.state).toBe("ESTABLISHED");
    },
  );
}

// Kind 253 precedes the MSS option, and is in a segment with text.
row(
  4,
  "an option of an unknown kind is skipped by its length",
  `${synReceived("bytes 253 4 170 170 2 4 3 232")}
  +.01 < P. 1:11(10) ack 1 win 65535 <bytes 254 6 1 2 3 4>
  +0  accept
  +0  write 1500
  +0  > . 1:1501(1500) ack 11 x1000
  +0  read 10`,
);

// The SYN's options are unaligned; timestamps in a later segment follow a single NOP.
row(
  5,
  "options are accepted in any segment, at any alignment",
  `${synReceived("bytes 1 2 4 3 232 4 2 8 10 0 0 0 100 0 0 0 0")}
  +.01 < . 1:1(0) ack 1 win 65535 <TS val 110 ecr 0>
  +0  accept
  +0  < P. 1:1001(1000) ack 1 <bytes 1 8 10 0 0 0 200 0 0 0 0>
  +0  < P. 1001:1989(988) ack 1 <TS val 200 ecr 0>
  +.04 > . 1:1(0) ack 1989 <TS val . ecr 200>
  +0  write 988
  +0  > P. 1:989(988) ack 1989`,
);

// Parsing stops at an invalid length; the options before it are used.
for (const bytes of [[2, 0], [2, 1], [253, 0], [253, 1, 1, 1], [253, 40, 0, 0], [8, 10, 1], [5]]) {
  row(
    6,
    "an option length of 0, 1 or past the header does no harm",
    `bytes ${bytes.join(" ")}`,
    () => {
      const t = inListen(internet);
      t.send({ flags: "S", options: { mss: 1000, raw: bytes } });
      t.recv({ flags: "S.", ack: 1 });
      t.send();
      t.send({ data: 10, options: { raw: bytes } });
      t.at(40);
      t.recv({ ack: 11 });
      t.write(1500);
      t.recv({ length: 1000 });
      t.recv({ flags: "P.", length: 500 });
    },
  );
}

// The decoder refuses options with an invalid length, and incomplete words.
for (const tcpOptions of ["sack=true", "sack=false", "timestamps=false", "windowScaling=false"]) {
  row(
    7,
    "options fill whole words, and all but END and NOP have a length",
    tcpOptions,
    `set ${tcpOptions}
    ${synReceived("mss 1000,sackOK,TS val 100 ecr 0,wscale 7")}
    +.01 < . 1:1(0) ack 1 <TS val 110 ecr 0>
    +0  < P. 101:201(100) ack 1 <TS val 110 ecr 0>
    +0  > . 1:1(0) ack 1
    +0  < P. 301:401(100) ack 1 <TS val 110 ecr 0>
    +0  > . 1:1(0) ack 1`,
  );
}

// SYN,ACK has it; ACK, text and FIN do not.
row(
  8,
  "the MSS option goes in SYN and SYN,ACK and nowhere else",
  `0  listen
  +0  < S 0:0(0) win 65535 <mss 1000>
  +0  > S. 0:0(0) ack 1 <mss 1460>
  +0  < P. 1:1001(1000) ack 1
  +0  accept
  +.04 > . 1:1(0) ack 1001 <>
  +0  write 10
  +0  > P. 1:11(10) ack 1001 <>
  +0  read 1000
  +0  close
  +0  > F. 11:11(0) ack 1001 <>`,
);
row(
  8,
  "the MSS option goes in SYN and SYN,ACK and nowhere else",
  "connect()",
  `set sack=false timestamps=false windowScaling=false
  0   connect
  +0  > S 0:0(0) <mss 1460>
  +0  < S. 0:0(0) ack 1 win 65535 <mss 1000>
  +0  > . 1:1(0) ack 1 <>`,
);

// The peer sends no MSS: the default of the family applies.
for (const [version, mss] of [[4, 536], [6, 1220]]) {
  row(
    9,
    "without an MSS option segments have 536 bytes, over IPv6 1220",
    `IPv${version}`,
    `set version=${version}
    ${accepted("")}
    +0  write 2440
    +0  > . 1:2441(2440) ack 1 x${mss}`,
  );
}

// The default applies, as without the option.
row(
  10,
  "an MSS of 0 counts as absent",
  `${accepted("mss 0")}
  +0  write 1072
  +0  > . 1:1073(1072) ack 1 x536`,
);
row(
  10,
  "an MSS of 0 counts as absent",
  "connect()",
  `0   connect
  +0  > S 0:0(0) <...>
  +0  < S. 0:0(0) ack 1 win 65535 <mss 0>
  +0  > . 1:1(0) ack 1
  +0  write 1072
  +0  > . 1:1073(1072) ack 1 x536`,
);

// Timestamps take 12 bytes of every segment; an MSS of 1 would leave no room for text.
row(
  11,
  "a tiny MSS is raised, so that options leave room for text",
  `${accepted("mss 1,TS val 100 ecr 0")}
  +0  write 104
  +0  > . 1:105(104) ack 1 x52`,
);

// The peer's MSS is 1460, the path MTU 900, and timestamps take 12.
row(
  12,
  "a segment is min(peer's MSS, path MTU - headers) less the options",
  "path",
  `set mtu=900
  ${accepted("mss 1460")}
  +0  write 1720
  +0  > . 1:1721(1720) ack 1 x860`,
);
row(
  12,
  "a segment is min(peer's MSS, path MTU - headers) less the options",
  "options",
  `${accepted("mss 1460,TS val 100 ecr 0")}
  +0  write 2896
  +0  > . 1:2897(2896) ack 1 x1448`,
);
row(
  12,
  "a segment is min(peer's MSS, path MTU - headers) less the options",
  "peer",
  `${accepted("mss 700,TS val 100 ecr 0")}
  +0  write 1376
  +0  > . 1:1377(1376) ack 1 x688`,
);

// Headers of 40 and 60 bytes.
for (
  const [version, mtu, mss] of [[4, 1500, 1460], [6, 1500, 1440], [4, 9000, 8960], [4, 600, 560]]
) {
  row(
    13,
    "the MSS advertised is the MTU less 40, over IPv6 less 60",
    `IPv${version}, MTU ${mtu}`,
    `set version=${version} mtu=${mtu} sack=false timestamps=false windowScaling=false
    0   connect
    +0  > S 0:0(0) <mss ${mss}>`,
  );
}

// An MSS of 700 is configured.
row(
  14,
  "an MSS that the user sets is advertised by both kinds of open",
  "passive",
  `set mss=700
  0   listen
  +0  < S 0:0(0) win 65535 <mss 1000>
  +0  > S. 0:0(0) ack 1 <mss 700>`,
);
row(
  14,
  "an MSS that the user sets is advertised by both kinds of open",
  "active",
  `set mss=700 sack=false timestamps=false windowScaling=false
  0   connect
  +0  > S 0:0(0) <mss 700>`,
);

// A segment with all four bits set is accepted; the decoder refuses them in sent segments.
row(15, "reserved header bits are zero when sent and ignored when received", () => {
  const t = inEstablished(internet);
  const packet = peerPacket(t, { seq: 1, ack: 1, flags: 24, text: new Uint8Array(10) });
  packet[32]! |= 0x0f;
  t.wire.inject(withChecksum(t, packet));
  t.recv({ at: 40, ack: 11 });
});

// 64 by default; routers would not forward a packet with 0.
row(16, "the hop limit can be set, is never 0, and has a sane default", () => {
  for (const [hopLimit, version] of [[64, 4], [7, 4], [255, 6]] as const) {
    const t = inListen({ ...internet, version, tcp: hopLimit === 64 ? {} : { hopLimit } });
    t.send({ flags: "S" });
    expect(t.recv({ flags: "S.", ack: 1 }).hopLimit).toBe(hopLimit);
  }
  for (const hopLimit of [0, 256]) {
    expect(() => parseStackConfig({ addresses: ["10.0.0.2/24"], tcp: { hopLimit } })).toThrow(
      "hopLimit",
    );
  }
});

// DSCP CS1 on SYN,ACK, text and FIN.
row(17, "the traffic class can be set by the user", () => {
  for (const version of [4, 6] as const) {
    const t = inListen({ ...internet, version, tcp: { trafficClass: 0x20 } });
    t.send({ flags: "S" });
    expect(t.recv({ flags: "S.", ack: 1 }).trafficClass).toBe(0x20);
    t.send();
    t.write(10);
    expect(t.recv({ flags: "P.", length: 10 }).trafficClass).toBe(0x20);
    t.closeWrite();
    expect(t.recv({ flags: "F." }).trafficClass).toBe(0x20);
  }
});
