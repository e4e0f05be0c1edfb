import { describe, expect, test } from "bun:test";
import { type SeededRandom, seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import type { TcpConfig } from "../../../core/tcp/config.ts";
import type { Tcb } from "../../../core/tcp/tcb.ts";
import {
  inCloseWait,
  inClosing,
  inEstablished,
  inFinWait1,
  inFinWait2,
  inLastAck,
  inSynReceived,
  inSynSent,
  inTimeWait,
  type Setup,
} from "../../support/dsl/builders.ts";
import type { TcpOptions } from "../../support/dsl/encode.ts";
import type { Trace } from "../../support/dsl/trace.ts";

const DAY_MS = 86_400_000;
const STEPS = 120;
const SEEDS = 7;
const FLAGS = [".", ".", ".", "P.", "P.", "F.", "FP.", "S", "S.", "R", "R.", "", "F", "FSRPU."];
const WINDOWS = [0, 1, 400, 5000, 0xffff, 0xffff];

const STATES_THAT_KNOW_THE_PEER = ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"];

/** Settings in addition to the profile's. */
const KNOBS: readonly Partial<TcpConfig>[] = [
  {},
  { acknowledge: "on-read", finish: "time-wait" },
  { acknowledge: "on-processed", receiveBuffer: 4096, sendBuffer: 4096 },
  { congestion: "newreno", noDelay: false },
  { congestion: "cubic", acknowledge: "on-arrival", close: "graceful", delayedAckMs: 40 },
  { congestion: "bbr", ackStallMs: 500, keepAlive: true, keepAliveIdleMs: 1000 },
  { retransmitSynAck: true, close: "reset", finish: "time-wait", maxUnacked: 4096 },
];

const STATES: readonly [string, (setup: Setup) => Trace][] = [
  ["SYN-SENT", inSynSent],
  ["SYN-RECEIVED", inSynReceived],
  ["ESTABLISHED", inEstablished],
  ["FIN-WAIT-1", inFinWait1],
  ["FIN-WAIT-2", inFinWait2],
  ["CLOSE-WAIT", inCloseWait],
  ["CLOSING", inClosing],
  ["LAST-ACK", inLastAck],
  ["TIME-WAIT", inTimeWait],
];

/** A value at or near one of `marks`, or a random one. */
function near(random: SeededRandom, ...marks: number[]): number {
  const mark = pick(random, marks);
  const kind = random.uint32() % 8;
  if (kind === 0) return random.uint32() | 0;
  return kind < 4 ? mark : mark + random.uint32() % 4001 - 2000;
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.uint32() % from.length]!;
}

function someOptions(random: SeededRandom, t: Trace): TcpOptions {
  const options: TcpOptions = {};
  const { tcb } = t;
  if (random.uint32() % 4 === 0) {
    const block = () => {
      const start = near(random, tcb.sndUna, tcb.sndNxt) - t.iss;
      return [start, start + random.uint32() % 3000] as const;
    };
    options.sack = Array.from({ length: 1 + random.uint32() % 3 }, block);
  }
  if (t.timestamps && random.uint32() % 8 !== 0) {
    options.timestamps = [t.peerTime - random.uint32() % 3, random.uint32()];
  }
  return options;
}

/** Sends a segment that is nearly valid, or not at all. */
function someSegment(random: SeededRandom, t: Trace): void {
  const { tcb } = t;
  t.send({
    flags: pick(random, FLAGS),
    // The peer's first SYN sets its sequence numbers.
    seq: t.state === "SYN-SENT"
      ? 0
      : (near(random, tcb.rcvNxt, tcb.rcvAcked, tcb.rcvEdge) - t.irs) | 0,
    ack: (near(random, tcb.sndUna, tcb.sndNxt) - t.iss) | 0,
    ...(random.uint32() % 2 === 0 ? {} : { data: random.uint32() % 1500 }),
    window: pick(random, WINDOWS),
    options: someOptions(random, t),
  });
}

function someCall(random: SeededRandom, t: Trace): void {
  switch (random.uint32() % 16) {
    case 0:
      return t.closeWrite();
    case 1:
      return random.uint32() % 4 === 0 ? t.close() : undefined;
    case 2:
      return t.wire.step((stack) =>
        stack.tcp.setKeepAlive(t.tcb, random.uint32() % 2 === 0, t.wire.now)
      );
    case 3:
      return t.markProcessed();
    case 4:
    case 5:
      return void t.write(random.uint32() % 5000);
    default:
      return void t.read(random.uint32() % 3000);
  }
}

/**
 * Runs random steps. Each checks the invariants, and that packets are well-formed and carry the
 * data written.
 */
function attack(t: Trace, tcb: Tcb, random: SeededRandom): void {
  for (let i = 0; i < STEPS; i++) {
    const acked = tcb.rcvAcked;
    const knewThePeer = STATES_THAT_KNOW_THE_PEER.includes(t.state);
    const kind = random.uint32() % 8;
    if (kind < 5) someSegment(random, t);
    else if (kind < 7) someCall(random, t);
    else t.wire.advanceUntilSent(random.uint32() % 2000);
    expect(t.wire.unread.length).toBeLessThan(400);
    // A new connection may have replaced one in TIME-WAIT.
    if (!isKnown(t, tcb)) return;
    t.recvAll();
    if (knewThePeer) expect((tcb.rcvAcked - acked) | 0).toBeGreaterThanOrEqual(0);
  }
}

function isKnown(t: Trace, tcb: Tcb): boolean {
  return t.wire.stack.tcp.connections().includes(tcb);
}

/** After any history, a connection that the application closes ends eventually. */
function endsAfterClose(t: Trace, tcb: Tcb): void {
  if (!isKnown(t, tcb)) return;
  t.close();
  for (let i = 0; i < 1000 && isKnown(t, tcb); i++) {
    t.recvAll();
    t.wire.advanceUntilSent(DAY_MS);
  }
  expect(isKnown(t, tcb)).toBe(false);
  expect(t.wire.stack.tcp.timerCount).toBe(0);
}

/** Profile `local` has no LAST-ACK and no TIME-WAIT. */
function indexedStates(profile: "local" | "internet"): [string, number][] {
  return STATES
    .map(([state], index): [string, number] => [state, index])
    .filter(([state]) => profile === "internet" || !["LAST-ACK", "TIME-WAIT"].includes(state));
}

for (const profile of ["local", "internet"] as const) {
  describe(`a hostile peer in profile ${profile}`, () => {
    // Valid, nearly valid and invalid segments, calls and time, in random order: nothing throws,
    // the invariants hold, and close() always completes.
    test.each(indexedStates(profile))(
      "violates no invariant from %s on (RFC 9293 3.10.7)",
      (_state, index) => {
        for (let seed = 0; seed < SEEDS; seed++) {
          const random = seededRandom(seed * 100 + index);
          const timestamps = seed % 2 === 0 ? { timestamps: [5000, 0] as const } : {};
          const sack = seed % 3 === 0 ? {} : { sackPermitted: true };
          const tcp = KNOBS[seed % KNOBS.length]!;
          const syn = { mss: 1000, windowScale: seed % 5, ...timestamps, ...sack };
          const t = STATES[index]![1]({
            profile,
            tcp,
            syn,
            iss: random.uint32(),
            irs: random.uint32(),
          });
          const { tcb } = t;
          attack(t, tcb, random);
          endsAfterClose(t, tcb);
        }
      },
    );
  });
}
