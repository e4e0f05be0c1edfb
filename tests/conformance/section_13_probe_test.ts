import { test } from "bun:test";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

/** The peer's window is closed; with an RTT of 10 ms the RTO is 210 ms. */
const CLOSED_WINDOW = `${accepted("mss 1000")}
  ignorePush
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001 win 0`;

// One byte, 210 ms after the write.
row(
  149,
  "the first probe is sent one RTO after the window closed",
  `${CLOSED_WINDOW}
  +0   write 500
  +.2~.22 > P. 1001:1002(1) ack 1`,
);

// An hour of silence.
row(
  150,
  "no probe is sent while there is nothing to send",
  `${CLOSED_WINDOW}
  +3600 expect state ESTABLISHED`,
);

// Text waited for the congestion window when the window closed.
row(
  151,
  "an update to window 0 starts probing",
  `${accepted("mss 1000")}
  +0   write 12000
  +0   > . 1:10001(10000) ack 1 x1000
  ignorePush
  +.01 < . 1:1(0) ack 10001 win 0
  +.2~.22 > . 10001:10002(1) ack 1`,
);

// 210, 420, 840, 1,680 ms, whether or not the peer answers.
row(
  152,
  "the interval between probes grows exponentially",
  "no answer",
  `${CLOSED_WINDOW}
  +0    write 500
  +.2~.22 > P. 1001:1002(1) ack 1
  +.4~.44 > P. 1001:1002(1) ack 1
  +.8~.88 > P. 1001:1002(1) ack 1
  +1.6~1.76 > P. 1001:1002(1) ack 1`,
);
row(
  152,
  "the interval between probes grows exponentially",
  "answered",
  `${CLOSED_WINDOW}
  +0    write 500
  +.2~.22 > P. 1001:1002(1) ack 1
  +.01  < . 1:1(0) ack 1001 win 0
  +.39~.43 > P. 1001:1002(1) ack 1
  +.01  < . 1:1(0) ack 1001 win 0
  +.79~.87 > P. 1001:1002(1) ack 1
  +.01  < . 1:1(0) ack 1001 win 0
  +1.59~1.75 > P. 1001:1002(1) ack 1`,
);

// Far beyond the timeout for a silent peer.
row(
  153,
  "the connection stays while probes are acknowledged",
  `set userTimeoutMs=30000 maxRtoMs=10000
  ${CLOSED_WINDOW}
  +0   write 500
  ${
    [.21, .42, .84, 1.68, 3.36, 6.72, 10, 10, 10, 10, 10, 10].map((interval) => `
    +${Math.max(0, interval * 0.95 - 0.01)}~${interval * 1.05} > P. 1001:1002(1) ack 1
    +.01 < . 1:1(0) ack 1001 win 0`).join("")
  }
  +0   expect state ESTABLISHED`,
);

// The peer accepted the byte but has no room for another: the next probe has the following byte.
row(
  154,
  "an acknowledged probe byte restarts the interval",
  `${CLOSED_WINDOW}
  +0   write 500
  +.2~.22 > P. 1001:1002(1) ack 1
  +.4~.44 > P. 1001:1002(1) ack 1
  +.01  < . 1:1(0) ack 1002 win 0
  +.2~.44 > P. 1002:1003(1) ack 1`,
);

// The probed byte is sent again as text.
row(
  155,
  "text is sent at once when the window opens",
  `${CLOSED_WINDOW}
  +0   write 500
  +.2~.22 > P. 1001:1002(1) ack 1
  +.05 < . 1:1(0) ack 1001 win 5000
  +0   > . 1001:1002(1) ack 1
  +0   > P. 1002:1501(499) ack 1`,
);
row(
  155,
  "text is sent at once when the window opens",
  "before the first probe",
  `${CLOSED_WINDOW}
  +0   write 500
  +.05 < . 1:1(0) ack 1001 win 5000
  +0   > P. 1001:1501(500) ack 1`,
);

// It changes the window, so it is not a duplicate.
row(
  156,
  "a third duplicate ACK that closes the window forces nothing out",
  `${accepted("mss 1000")}
  +0   write 5000
  +0   > . 1:5001(5000) ack 1 x1000
  +.01 < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1
  +0   < . 1:1(0) ack 1 win 0
  +.1  expect state ESTABLISHED`,
);

// The peer has closed its window and is silent for 3 seconds.
row(
  157,
  "the user timeout ends a probed connection",
  `set userTimeoutMs=3000
  ${CLOSED_WINDOW}
  +0   write 500
  +.2~.22 > P. 1001:1002(1) ack 1
  +.4~.44 > P. 1001:1002(1) ack 1
  +.8~.88 > P. 1001:1002(1) ack 1
  +1~1.8 > R. 1002:1002(0) ack 1
  +0   expect state CLOSED
  +0   expect error TIMED_OUT`,
);
