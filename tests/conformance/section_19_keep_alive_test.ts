import { expect, test } from "bun:test";
import { PROFILES } from "../../core/tcp/config.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

const KNOBS = "set keepAliveIdleMs=10000 keepAliveIntervalMs=1000 keepAliveProbes=3";

// A day of silence passes; then keep-alive is turned on, and off again.
row(
  228,
  "off by default, on by request",
  `${KNOBS}
  ${accepted()}
  +86400 expect state ESTABLISHED
  +0     keepAlive on
  +10    > . 0:0(0) ack 1
  +.01   < . 1:1(0) ack 1
  +0     keepAlive off
  +86400 expect state ESTABLISHED`,
);

// Every segment from the peer restarts the timer.
row(
  229,
  "sent when idle only; the interval can be set, by default 2 hours",
  `${KNOBS}
  ${accepted()}
  +0   keepAlive on
  +9   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101
  +9   write 100
  +0   > P. 1:101(100) ack 101
  +.01 < . 101:101(0) ack 101
  +10  > . 100:100(0) ack 101`,
);
row(229, "sent when idle only; the interval can be set, by default 2 hours", "default", () => {
  expect(PROFILES.internet.keepAlive).toBe(false);
  expect(PROFILES.internet.keepAliveIdleMs).toBeGreaterThanOrEqual(7_200_000);
});

// 100 bytes were sent: number 100 is already acknowledged.
row(
  230,
  "a probe is SND.NXT-1 without text",
  `${KNOBS}
  ${accepted()}
  +0   keepAlive on
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +.01 < . 1:1(0) ack 101
  +10  > . 100:100(0) ack 1`,
);

// The second probe is answered; then three are not.
row(
  231,
  "one missing reply does not end the connection, N do",
  `${KNOBS}
  ${accepted()}
  +0   keepAlive on
  +10  > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1
  +10  > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +0   expect state ESTABLISHED
  +1   > R. 1:1(0) ack 1
  +0   expect state CLOSED
  +0   expect error TIMED_OUT`,
);

// One keep-alive has no text, the other one byte of what was received before.
row(
  232,
  "another stack's keep-alive is acknowledged",
  `${accepted()}
  +0   < P. 1:101(100) ack 1
  +.04 > . 1:1(0) ack 101
  +10  < . 100:100(0) ack 1
  +0   > . 1:1(0) ack 101
  +.1  < . 100:101(1) ack 1
  +0   > . 1:1(0) ack 101`,
);

// Three probes would be enough; the user timeout is 20 s, then 11.5.
row(
  233,
  "the user timeout overrides the number of probes",
  "longer",
  `${KNOBS}
  ${accepted()}
  +0   keepAlive on
  +0   userTimeout 20
  +10  > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +0   expect state ESTABLISHED`,
);
row(
  233,
  "the user timeout overrides the number of probes",
  "shorter",
  `${KNOBS}
  ${accepted()}
  +0   keepAlive on
  +0   userTimeout 11.5
  +10  > . 0:0(0) ack 1
  +1   > . 0:0(0) ack 1
  +.5~1.1 > R. 1:1(0) ack 1
  +0   expect error TIMED_OUT`,
);
