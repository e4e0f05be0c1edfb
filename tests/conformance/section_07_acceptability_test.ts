import { expect, test } from "bun:test";
import {
  inCloseWait,
  inClosing,
  inEstablished,
  inFinWait1,
  inFinWait2,
  inLastAck,
  inTimeWait,
  type Setup,
} from "../support/dsl/builders.ts";
import type { Trace } from "../support/dsl/trace.ts";
import { peerPacket } from "./packets.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

/** A receive buffer of 4,096 bytes, full of unread text. */
const WINDOW_CLOSED = `set receiveBuffer=4096
  ${accepted()}
  +0   < P. 1:4097(4096) ack 1
  +0   > . 1:1(0) ack 4097 win 0`;

// A retransmission, and one byte from before the connection.
row(
  76,
  "below the window: an ACK with RCV.NXT",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101
  +0   < P. 1:101(100) ack 1
  +0   > . 1:1(0) ack 101
  +0   < P. -100:-50(50) ack 1
  +0   > . 1:1(0) ack 101`,
);

// 10,000 bytes are offered.
row(
  77,
  "beyond the window: an ACK, and the text is dropped",
  `set receiveBuffer=10000
  ${accepted()}
  +0  < P. 10002:10102(100) ack 1
  +0  > . 1:1(0) ack 1 <>
  +1  < . 50000:50000(0) ack 1
  +0  > . 1:1(0) ack 1 <>
  +0  expect readable 0`,
);

// One in 500 ms.
row(
  78,
  "these ACKs are limited in rate",
  `set receiveBuffer=10000
  ${accepted()}
  +0  < . 20000:20000(0) ack 1
  +0  > . 1:1(0) ack 1
  +.1 < . 20000:20000(0) ack 1
  +.3 < . 20000:20000(0) ack 1
  +.2 < . 20000:20000(0) ack 1
  +0  > . 1:1(0) ack 1`,
);

// The peer has not received the ACK and retransmits until it does.
row(
  79,
  "ACKs of retransmitted data are not limited",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101
  +.01 < P. 1:101(100) ack 1
  +0   > . 1:1(0) ack 101
  +.01 < P. 1:101(100) ack 1
  +0   > . 1:1(0) ack 101
  +.01 < P. 1:51(50) ack 1
  +0   > . 1:1(0) ack 101`,
);

// Text beyond the window has to be retransmitted; old text is not delivered twice.
row(
  80,
  "of text partly in the window, the new part is accepted",
  "beyond",
  `set receiveBuffer=4096
  ${accepted()}
  +0   < . 1:3001(3000) ack 1 x1000
  +0~.04 > . 1:1(0) ack 3001
  +0   < P. 3001:5001(2000) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +0   expect readable 4096`,
);
row(
  80,
  "of text partly in the window, the new part is accepted",
  "below",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +0   < P. 51:151(100) ack 1
  +0   > . 1:1(0) ack 151
  +0   read 150`,
);

// It acknowledges 100 bytes and opens the window to 1,000.
row(
  81,
  "at window 0 an empty segment at RCV.NXT is processed",
  `${WINDOW_CLOSED}
  +0   write 100
  +0   > P. 1:101(100) ack 4097 win 0
  +.01 < . 4097:4097(0) ack 101 win 1000
  +0   write 3000
  +0   > . 101:1101(1000) ack 4097 win 0`,
);

// A RST is processed, and so is an urgent pointer 10 bytes after 4,096 unread ones.
row(
  82,
  "at window 0 RST and URG are processed",
  "RST",
  `${WINDOW_CLOSED}
  +0   < R 4097:4097(0)
  +0   expect state CLOSED
  +0   expect error CONNECTION_RESET`,
);
row(
  82,
  "at window 0 RST and URG are processed",
  "URG",
  `${WINDOW_CLOSED}
  +0   < U. 4097:4097(0) ack 1 urg 10
  +0   expect urgent 4106`,
);

// A FIN needs no buffer.
row(
  83,
  "at window 0 a FIN at RCV.NXT is accepted",
  `${WINDOW_CLOSED}
  +0   < F. 4097:4097(0) ack 1
  +0   > . 1:1(0) ack 4098 win 0
  +0   expect state CLOSE-WAIT
  +0   read 4096
  +0   read 1 = EOF`,
);

// No flags at all, and text with PSH alone.
row(
  84,
  "a segment without ACK is dropped",
  `${accepted()}
  +0 < - 1:101(100)
  +0 < P 1:101(100)
  +0 < F 1:1(0)
  +1 expect state ESTABLISHED
  +0 expect readable 0`,
);

// An ACK beyond SND.NXT, with text.
row(
  85,
  "an ACK of unsent data draws an ACK, and its text is dropped",
  `${accepted()}
  +0 < P. 1:101(100) ack 2
  +0 > . 1:1(0) ack 1
  +0 expect readable 0`,
);

// It was overtaken by the ACK of 101.
row(
  86,
  "an old ACK is ignored, and its text is accepted",
  `${accepted()}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +.01 < . 1:1(0) ack 101
  +0   < P. 1:101(100) ack 1
  +.04 > . 101:101(0) ack 101
  +0   read 100`,
);

// The peer's window was 1,000, so no genuine ACK is more than 1,000 below SND.UNA.
row(
  87,
  "a very old ACK draws a challenge ACK",
  `0    listen
  +0   < S 0:0(0) win 1000 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1 win 1000
  +0   accept
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001 win 1000
  +0   < P. 1:101(100) ack 0
  +0   > . 1001:1001(0) ack 1
  +0   expect readable 0
  +0   < P. 1:101(100) ack 1
  +.04 > . 1001:1001(0) ack 101`,
);
row(
  87,
  "a very old ACK draws a challenge ACK",
  "a large window",
  `${accepted("mss 1000", 65535)}
  +0   < P. 1:101(100) ack -70000
  +0   > . 1:1(0) ack 1
  +0   expect readable 0
  +0   < P. 1:101(100) ack -60000
  +.04 > . 1:1(0) ack 101`,
);

// In each state, a segment outside the window and one that acknowledges unsent data.
const STATES: readonly (readonly [string, (setup: Setup) => Trace])[] = [
  ["FIN-WAIT-1", inFinWait1],
  ["FIN-WAIT-2", inFinWait2],
  ["CLOSE-WAIT", inCloseWait],
  ["CLOSING", inClosing],
  ["LAST-ACK", inLastAck],
  ["TIME-WAIT", inTimeWait],
];
for (const [state, build] of STATES) {
  row(88, "the same rules hold in the closing states", state, () => {
    const t = build({ profile: "internet" });
    expect(t.state).toBe(state as typeof t.state);
    const answered = (seq: number, ack: number) => {
      t.wire.inject(peerPacket(t, { seq, ack, flags: 16 }));
      t.recv();
      expect(t.state).toBe(state as typeof t.state);
      t.wire.now += 500;
    };
    const { sndUna, rcvNxt } = t.tcb;
    const next = (rcvNxt - t.irs) | 0;
    const acked = (sndUna - t.iss) | 0;
    answered(next + 5_000_000, acked);
    answered(next, acked + 1000);
  });
}

// The second segment overtook the first, whose window is outdated.
row(89, "an old window never overwrites a newer one", () => {
  const t = inEstablished({ profile: "internet" });
  t.send({ seq: 101, data: 100, window: 2000 });
  t.recv();
  t.send({ seq: 1, data: 100, window: 60000 });
  t.recv({ ack: 201 });
  t.write(5000);
  t.recv({ length: 1000, ack: 201 });
  t.recv({ length: 1000, ack: 201 });
  t.recvNothing();
});
