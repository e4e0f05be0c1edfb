import { expect, test } from "bun:test";
import { inEstablished, inListen } from "../support/dsl/builders.ts";
import { encodeTcp } from "../support/dsl/encode.ts";
import { rowsWith } from "./row.ts";
import { accepted, synReceived } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// SYN, FIN and every byte of text have a sequence number; the RST acknowledges all of them.
row(
  22,
  "no connection, segment without ACK: RST,ACK with SEQ=0 and ACK=SEG.SEQ+SEG.LEN",
  `0  < S 0:0(0) win 1000
  +0 > R. 0:0(0) ack 1
  +0 < P 5:15(10) win 1000
  +0 > R. 0:0(0) ack 15
  +0 < F 5:15(10) win 1000
  +0 > R. 0:0(0) ack 16`,
);

// The RST has the sequence number that the peer expects.
row(
  23,
  "no connection, segment with ACK: RST with SEQ=SEG.ACK and no ACK bit",
  `0  < . 1:1(0) ack 77
  +0 > R 77:77(0)
  +0 < FP. 1:11(10) ack 78
  +0 > R 78:78(0)
  +0 < S. 0:0(0) ack 79
  +0 > R 79:79(0)`,
);

// On a closed port and on a port with a listener.
row(
  24,
  "a RST is never answered by a RST",
  `0  < R 0:0(0)
  +0 < R. 5:5(0) ack 7
  +0 listen
  +0 < R 0:0(0)
  +0 < R. 5:5(0) ack 7
  +1 expect connections 0`,
);

// A SYN after it is answered as usual.
row(
  25,
  "LISTEN ignores a RST",
  `0  listen
  +0 < R 0:0(0)
  +0 < R. 0:0(0) ack 5
  +0 < S 0:0(0) win 1000
  +0 > S. 0:0(0) ack 1`,
);

// It acknowledges data that was never sent.
row(
  26,
  "LISTEN answers an ACK with RST, SEQ=SEG.ACK",
  `0  listen
  +0 < . 1:1(0) ack 77
  +0 > R 77:77(0)
  +0 < P. 1:11(10) ack 77
  +0 > R 77:77(0)
  +0 expect connections 0`,
);
row(
  27,
  "LISTEN answers a SYN,ACK with RST, SEQ=SEG.ACK",
  `0  listen
  +0 < S. 0:0(0) ack 77
  +0 > R 77:77(0)
  +0 expect connections 0`,
);

// SYN,ACK acknowledges only the SYN.
row(
  28,
  "LISTEN answers a SYN with SYN,ACK",
  `0  listen
  +0 < S 0:0(0) win 1000
  +0 > S. 0:0(0) ack 1
  +0 expect state SYN-RECEIVED
  +0 < . 1:1(0) ack 1
  +0 expect state ESTABLISHED
  +0 accept`,
);

// Both addresses have to be unicast.
row(29, "a SYN from or to an address that is not unicast is dropped silently", () => {
  const t = inListen(internet);
  const from = (source: string, destination: string) => {
    t.wire.inject(encodeTcp({
      source,
      destination,
      sourcePort: 40_000,
      destinationPort: 80,
      seq: 1,
      ack: 0,
      flags: 2,
      window: 1000,
    }));
    t.recvNothing();
  };
  for (const source of ["255.255.255.255", "10.0.0.255", "224.0.0.1", "239.1.2.3", "0.0.0.0"]) {
    from(source, "10.0.0.2");
  }
  for (const destination of ["255.255.255.255", "10.0.0.255", "224.0.0.1", "0.0.0.0"]) {
    from("10.0.0.1", destination);
  }
  for (const source of ["::", "ff02::1", "ff05::2"]) from(source, "fd00::2");
  for (const destination of ["::", "ff02::1"]) from("fd00::1", destination);
  expect(t.wire.stack.tcp.connectionCount).toBe(0);
});

// Port 81 is closed and 10.0.0.9 is not own: the connection on port 80 is not affected.
row(30, "a segment to another port or address does not reach the connection", () => {
  const t = inEstablished(internet);
  const otherPort = t.other({ localPort: 81 });
  otherPort.send({ seq: 1, ack: 1, data: 10 });
  expect(t.wire.unread.shift()?.packet).toMatchObject({ flags: 4, sourcePort: 81 });
  t.other({ local: "10.0.0.9" }).send({ seq: 1, ack: 1, data: 10 });
  t.other({ remotePort: 40_001 }).send({ seq: 1, ack: 1, data: 10 });
  expect(t.wire.unread.shift()?.packet).toMatchObject({ flags: 4, destinationPort: 40_001 });
  t.recvNothing();
  expect(t.tcb.bytesIn).toBe(0);
});

// Three concurrent handshakes, completed in another order.
row(
  31,
  "several connections are half-open on one port",
  `0    listen
  +0   <@1 S 0:0(0) win 1000
  +0   >@1 S. 0:0(0) ack 1
  +0   <@2 S 0:0(0) win 1000
  +0   >@2 S. 0:0(0) ack 1
  +0   <@3 S 0:0(0) win 1000
  +0   >@3 S. 0:0(0) ack 1
  +.01 <@3 . 1:1(0) ack 1
  +0   <@1 . 1:1(0) ack 1
  +0   <@2 . 1:1(0) ack 1
  +0   accept@3
  +0   accept@1
  +0   accept@2
  +0   accept = nothing`,
);

// A backlog of one: a second SYN is ignored until the first connection is accepted.
row(
  32,
  "a full accept queue ignores SYNs and handshake ACKs, and retransmits SYN,ACK",
  `0    listen 1
  +0   <@1 S 0:0(0) win 1000
  +0   >@1 S. 0:0(0) ack 1
  +.01 <@1 . 1:1(0) ack 1
  +0   <@2 S 0:0(0) win 1000
  +1   <@2 S 0:0(0) win 1000
  +0   accept@1
  +2   <@2 S 0:0(0) win 1000
  +0   >@2 S. 0:0(0) ack 1
  +1   >@2 S. 0:0(0) ack 1
  +.01 <@2 . 1:1(0) ack 1
  +0   accept@2`,
);

// A backlog of two, taken by half-open connections: a third peer gets a SYN cookie. When its ACK
// arrives, the other two fill the accept queue, so it has to retransmit.
row(
  32,
  "a full accept queue ignores SYNs and handshake ACKs, and retransmits SYN,ACK",
  "handshake ACK",
  `0    listen 2
  +0   <@1 S 0:0(0) win 1000
  +0   >@1 S. 0:0(0) ack 1
  +0   <@2 S 0:0(0) win 1000
  +0   >@2 S. 0:0(0) ack 1
  +0   <@3 S 0:0(0) win 1000
  +0   >@3 S. 0:0(0) ack 1
  +.01 <@1 . 1:1(0) ack 1
  +0   <@2 . 1:1(0) ack 1
  +0   <@3 . 1:1(0) ack 1
  +.1  expect connections 2
  +0   accept@1
  +0   <@3 P. 1:101(100) ack 1
  +.04 >@3 . 1:1(0) ack 101
  +0   accept@2
  +0   accept@3
  +0   read@3 100`,
);

// With timestamps, all options are encoded in them; without, only the MSS, in the sequence number.
for (
  const [options, answer] of [
    ["sackOK,wscale 7,TS val 100 ecr 0", "mss 1460,sackOK,TS val . ecr 100,nop,wscale 7"],
    ["sackOK,wscale 7", "mss 1460"],
  ] as const
) {
  row(
    256,
    "a SYN cookie offers only what its ACK brings back",
    options,
    `set receiveBuffer=4194304
    0    listen 1
    +0   <@1 S 0:0(0) win 1000
    +0   >@1 S. 0:0(0) ack 1
    +0   <@2 S 0:0(0) win 1000 <mss 1000,${options}>
    +0   >@2 S. 0:0(0) ack 1 <${answer}>`,
  );
}

// accept() has not been called yet.
row(
  33,
  "data may follow the handshake before accept()",
  `${synReceived()}
  +.01 < . 1:1(0) ack 1
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101
  +0   < F. 101:101(0) ack 1
  +0   > . 1:1(0) ack 102
  +1   accept
  +0   read 100
  +0   read 1 = EOF`,
);

// One connection waits to be accepted, one is half-open.
row(
  34,
  "closing a listener resets connections not accepted",
  `0    listen
  +0   <@1 S 0:0(0) win 1000
  +0   >@1 S. 0:0(0) ack 1
  +.01 <@1 . 1:1(0) ack 1
  +0   <@2 S 0:0(0) win 1000
  +0   >@2 S. 0:0(0) ack 1
  +0   closeListener
  +0   >@2 R. 1:1(0) ack 1
  +0   >@1 R. 1:1(0) ack 1
  +0   <@3 S 0:0(0) win 1000
  +0   >@3 R. 0:0(0) ack 1`,
);

// The SYN,ACK acknowledges only the SYN.
row(
  35,
  "text on a SYN is not acknowledged, so that the peer retransmits it",
  `0    listen
  +0   < S 0:10(10) win 1000 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.01 < P. 1:11(10) ack 1
  +0   accept
  +.04 > . 1:1(0) ack 11
  +0   read 10`,
);

// 1,000 spoofed SYNs fill a backlog of 16; a real client still gets in.
row(36, "a handshake completes under a flood of SYNs", () => {
  const t = inListen({ ...internet, backlog: 16 });
  for (let i = 0; i < 1000; i++) {
    t.other({ remote: `10.0.0.${3 + i % 200}`, remotePort: 1024 + i }).send({ flags: "S" });
    t.wire.unread.length = 0;
  }
  expect(t.wire.stack.tcp.connectionCount).toBeLessThanOrEqual(16);
  t.send({ flags: "S", options: { mss: 1000 } });
  t.recv({ flags: "S.", ack: 1 });
  t.send();
  expect(t.state).toBe("ESTABLISHED");
  t.write(500);
  t.recv({ flags: "P.", length: 500 });
});

// The peer retransmits its SYN although it was answered: still one connection.
row(
  31,
  "several connections are half-open on one port",
  "one peer",
  `${accepted()}
  +0 <@2 S 0:0(0) win 1000
  +0 >@2 S. 0:0(0) ack 1
  +0 expect connections 2`,
);
