import { expect, test } from "bun:test";
import { inEstablished } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// Nobody reads: each ACK offers what is left of 6,000 bytes.
row(
  125,
  "the window shrinks with unread text, down to zero",
  `set receiveBuffer=6000 delayedAckMs=0
  ${accepted()}
  +0 < . 1:2001(2000) ack 1
  +0 > . 1:1(0) ack 2001 win 4000
  +0 < . 2001:4001(2000) ack 1
  +0 > . 1:1(0) ack 4001 win 2000
  +0 < . 4001:6001(2000) ack 1
  +0 > . 1:1(0) ack 6001 win 0`,
);

// Whatever arrives and is read, no ACK offers less than one before. Where the field counts units of
// several bytes, an ACK between two units moves what it can say by less than one of them: that is
// all that the peer can see, and what was named before is taken (RFC 7323 2.4).
row(126, "the right edge never moves left", () => {
  for (const receiveBuffer of [4096, 65_535, 1_000_001]) {
    const t = inEstablished({
      ...internet,
      syn: { mss: 1000, windowScale: 7 },
      tcp: { receiveBuffer, delayedAckMs: 0 },
    });
    const shift = t.tcb.rcvWndShift;
    let edge = 0;
    let seq = 1;
    for (let i = 0; i < 200; i++) {
      const room = Math.max(0, Math.min(1 + (i * 397) % 1460, edge - seq, t.tcb.receiveLimit));
      if (i > 0) t.send({ seq, data: room });
      seq += i > 0 ? room : 0;
      if (i % 3 === 0) t.read(1 + (i * 991) % 3000);
      if (i === 0) t.send({ seq: 0, data: 1 });
      for (const { ack, window } of t.recvAll()) {
        const right = ((ack - t.irs) >>> 0) + (window << shift);
        expect(right).toBeGreaterThan(edge - (1 << shift));
        edge = Math.max(edge, right);
      }
    }
  }
});

// Each segment is read before the next one comes.
row(127, "a reader that keeps up never sees a zero window", () => {
  const t = inEstablished({ ...internet, tcp: { receiveBuffer: 4096, delayedAckMs: 0 } });
  for (let i = 0; i < 50; i++) {
    t.send({ data: 1000 });
    t.read();
    for (const { window } of t.recvAll()) expect(window).toBeGreaterThan(0);
  }
});

// Of 2,000 bytes half is 1,000: 999 more are not worth a word, the 1,000th is.
row(
  128,
  "an opening is announced when it is min(buffer / 2, MSS)",
  "half of the buffer",
  `set receiveBuffer=2000
  ${accepted()}
  +0   < P. 1:2001(2000) ack 1
  +.04 > . 1:1(0) ack 2001 win 0
  +0   read 999
  +.1  read 1
  +0   > . 1:1(0) ack 2001 win 1000`,
);
row(
  128,
  "an opening is announced when it is min(buffer / 2, MSS)",
  "MSS",
  `set receiveBuffer=20000
  ${accepted()}
  +0   < P. 1:20001(20000) ack 1
  +0   > . 1:1(0) ack 20001 win 0
  +0   read 1459
  +.1  read 1
  +0   > . 1:1(0) ack 20001 win 1460`,
);

// The peer cannot know otherwise.
row(
  129,
  "opening from zero is announced unasked",
  `set receiveBuffer=8000
  ${accepted()}
  +0   < P. 1:8001(8000) ack 1
  +0   > . 1:1(0) ack 8001 win 0
  +5   read 8000
  +0   > . 1:1(0) ack 8001 win 8000`,
);

// The ACK that waited goes with it.
row(
  130,
  "a window update goes out while an ACK is delayed",
  `set receiveBuffer=4000
  ${accepted()}
  +0   < P. 1:2001(2000) ack 1
  +.01 read 2000
  +0   > . 1:1(0) ack 2001 win 4000
  +1   expect state ESTABLISHED`,
);

// Three within 500 ms, each of one byte that there is no room for.
row(
  131,
  "every window probe is acknowledged with the current window",
  `set receiveBuffer=4096
  ${accepted()}
  +0   < P. 1:4097(4096) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +.1  < . 4097:4098(1) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +.1  < . 4097:4098(1) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +.1  < . 4096:4096(0) ack 1
  +0   > . 1:1(0) ack 4097 win 0
  +0   read 4096
  +0   > . 1:1(0) ack 4097 win 4096
  +0   < . 4097:4098(1) ack 1
  +.04 > . 1:1(0) ack 4098`,
);

// It has nothing more to send.
row(
  132,
  "no window update follows the peer's FIN",
  `set receiveBuffer=4096
  ${accepted()}
  +0   < FP. 1:4097(4096) ack 1
  +0   > . 1:1(0) ack 4098 win 0
  +0   read 4096
  +1   expect state CLOSE-WAIT`,
);

// The field counts units of several bytes: what does not fill one is not offered.
row(133, "a scaled window is rounded down; what was offered is taken", "rounding", () => {
  const t = inEstablished({
    ...internet,
    syn: { mss: 1460, windowScale: 7 },
    tcp: { receiveBuffer: 1_000_001, delayedAckMs: 0 },
  });
  const unit = 1 << t.tcb.rcvWndShift;
  expect(unit).toBeGreaterThan(1);
  for (let i = 0; i < 50; i++) {
    t.send({ data: 1461 });
    t.read();
    for (const { ack, window } of t.recvAll()) {
      const edge = ((ack - t.irs) >>> 0) + window * unit;
      const room = ((t.tcb.receive.readSeq - t.irs) >>> 0) + t.tcb.receiveLimit;
      expect(edge).toBeLessThanOrEqual(room);
      expect(edge).toBeGreaterThan(room - unit - 1460);
    }
  }
});

// An ACK between two units offers a part of one more than it has to, as the edge may not move left:
// what the field has named is taken to its last byte, and not one byte more.
row(133, "a scaled window is rounded down; what was offered is taken", "what was offered", () => {
  const t = inEstablished({
    ...internet,
    syn: { mss: 1460, windowScale: 7 },
    tcp: { receiveBuffer: 1_000_001, delayedAckMs: 0 },
  });
  const shift = t.tcb.rcvWndShift;
  t.send({ data: 1001 });
  const { ack, window } = t.recv({ ack: 1002 });
  const edge = ((ack - t.irs) >>> 0) + (window << shift);
  t.send({ seq: edge - 1000, data: 1000 });
  t.recv({ ack: 1002 });
  expect(t.tcb.receive.outOfOrder!.ends.map((end) => (end - t.irs) >>> 0)).toEqual([edge]);
  t.send({ seq: edge, data: 1000 });
  t.recv({ ack: 1002 });
  expect(t.tcb.receive.outOfOrder!.ends.map((end) => (end - t.irs) >>> 0)).toEqual([edge]);
});
