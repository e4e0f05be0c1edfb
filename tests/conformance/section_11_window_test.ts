import { expect, test } from "bun:test";
import { inEstablished } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// Without reads, each ACK offers the rest of 6,000 bytes.
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

// No ACK retracts the right edge of an earlier one. With window scaling, the edge may appear to
// move left by less than one unit; data up to the earlier edge is still accepted (RFC 7323 2.4).
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

// Each segment is read before the next arrives.
row(127, "a reader that keeps up never sees a zero window", () => {
  const t = inEstablished({ ...internet, tcp: { receiveBuffer: 4096, delayedAckMs: 0 } });
  for (let i = 0; i < 50; i++) {
    t.send({ data: 1000 });
    t.read();
    for (const { window } of t.recvAll()) expect(window).toBeGreaterThan(0);
  }
});

// Half of 2,000 bytes is 1,000: 999 free bytes cause no update, the 1,000th does.
row(
  128,
  "a window update is sent when the window opens by min(buffer / 2, MSS)",
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
  "a window update is sent when the window opens by min(buffer / 2, MSS)",
  "MSS",
  `set receiveBuffer=20000
  ${accepted()}
  +0   < P. 1:20001(20000) ack 1
  +0   > . 1:1(0) ack 20001 win 0
  +0   read 1459
  +.1  read 1
  +0   > . 1:1(0) ack 20001 win 1460`,
);

// Otherwise the peer could not know.
row(
  129,
  "a window that opens from zero is announced without a probe",
  `set receiveBuffer=8000
  ${accepted()}
  +0   < P. 1:8001(8000) ack 1
  +0   > . 1:1(0) ack 8001 win 0
  +5   read 8000
  +0   > . 1:1(0) ack 8001 win 8000`,
);

// It includes the delayed ACK.
row(
  130,
  "a window update is sent while an ACK is delayed",
  `set receiveBuffer=4000
  ${accepted()}
  +0   < P. 1:2001(2000) ack 1
  +.01 read 2000
  +0   > . 1:1(0) ack 2001 win 4000
  +1   expect state ESTABLISHED`,
);

// Three within 500 ms, each with one byte that does not fit.
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

// The peer has nothing more to send.
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

// With window scaling, partial units are not offered.
row(
  133,
  "a scaled window is rounded down; data inside the offered window is accepted",
  "rounding",
  () => {
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
  },
);

// Between two units, an ACK rounds up so that the edge does not move left: data up to that edge is
// accepted, and not one byte more.
row(
  133,
  "a scaled window is rounded down; data inside the offered window is accepted",
  "what was offered",
  () => {
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
  },
);
