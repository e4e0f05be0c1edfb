import { describe, expect, test } from "bun:test";
import type { TcpEvent } from "../../../../core/tcp/event_log/events.ts";
import { type ReplayedState, replayEvents } from "../../../../core/api/tcp/event_replay.ts";
import type { TcpStats } from "../../../../core/api/types.ts";
import { loggedTransfer, named, type TransferOptions } from "../../../support/logged_transfer.ts";

const BYTES = 300_000;
const ROUGH = { loss: 0.03, reorder: 0.05, reorderMs: 8, duplicate: 0.01, jitterMs: 3 };

const PATHS: readonly (readonly [string, TransferOptions])[] = [
  ["cubic", { bytes: BYTES, data: ROUGH, acks: { loss: 0.02 } }],
  ["newreno", { bytes: BYTES, data: ROUGH, tcp: { congestion: "newreno" } }],
  ["bbr", { bytes: BYTES, data: ROUGH, tcp: { congestion: "bbr" } }],
  ["unacked", { bytes: BYTES, data: ROUGH, tcp: { congestion: "unacked" } }],
  ["newreno without SACK", {
    bytes: BYTES,
    data: { loss: 0.03 },
    tcp: { congestion: "newreno", sack: false },
  }],
  ["cubic without timestamps", {
    bytes: BYTES,
    data: { loss: 0.02, burstBegin: 0.005, burstEnd: 0.05 },
    tcp: { timestamps: false },
  }],
];

describe("replayEvents", () => {
  // Whenever the log is read, its replay has the state that the connection has.
  test.each(PATHS)("gives the statistics of the connection exactly: %s", async (_, options) => {
    const { events, samples, stats } = await loggedTransfer(options);
    const states = [...replayEvents(events)];
    expect(states.length).toBe(events.length);
    expect(samples.length).toBeGreaterThan(20);
    for (const sample of samples) {
      expect(shownOf(states[sample.events - 1]!)).toEqual(shownOfStats(sample.stats));
    }
    expect(shownOf(states.at(-1)!)).toEqual(shownOfStats(stats));
    expect(states.at(-1)!.retransmissions).toBe(stats.retransmits);
    expect(stats.retransmits).toBeGreaterThan(0);
  });

  // The estimator of RFC 6298 2, written down again.
  test.each(PATHS)("latest_rtt gives SRTT and RTTVAR (RFC 6298 2): %s", async (_, options) => {
    const { events } = await loggedTransfer(options);
    let [srtt, rttvar, least, count] = [0, 0, 0, 0];
    for (const { data } of named(events, "tcp:recovery_metrics_updated")) {
      if (data.latest_rtt !== undefined) {
        const sample = Math.round(data.latest_rtt * 1000);
        rttvar = srtt === 0
          ? Math.round(sample / 2)
          : Math.round(rttvar + (Math.abs(srtt - sample) - rttvar) / 4);
        srtt = srtt === 0 ? sample : Math.round(srtt + (sample - srtt) / 8);
        least = least === 0 ? sample : Math.min(least, sample);
        count++;
      }
      if (data.smoothed_rtt !== undefined) expect(data.smoothed_rtt).toBe(srtt / 1000);
      if (data.rtt_variance !== undefined) expect(data.rtt_variance).toBe(rttvar / 1000);
      if (data.min_rtt !== undefined) expect(data.min_rtt).toBe(least / 1000);
    }
    expect(count).toBeGreaterThan(20);
  });

  // JSON has neither infinity nor undefined.
  test("gives the same after a round trip through JSON", async () => {
    const { events } = await loggedTransfer(PATHS[0]![1]);
    const parsed = JSON.parse(JSON.stringify(events)) as TcpEvent[];
    expect([...replayEvents(parsed)]).toEqual([...replayEvents(events)]);
  });

  // What happened in a gap is not known.
  test("returns nothing between dropped events and the next snapshot", async () => {
    const { events } = await loggedTransfer({ bytes: 20_000 });
    const gap: TcpEvent = { time: 1, name: "tcp:events_dropped", data: { count: 3 } };
    expect([...replayEvents([...events, gap, ...events.slice(1)])].length).toBe(events.length);
    expect([...replayEvents([...events, gap, ...events])].length).toBe(2 * events.length);
    expect([...replayEvents(events.slice(1))]).toEqual([]);
  });
});

function shownOf({ state, sndUna, sndNxt, metrics }: ReplayedState) {
  return {
    state,
    flightSize: (sndNxt - sndUna) | 0,
    cwnd: metrics.congestion_window,
    ssthresh: metrics.ssthresh ?? Infinity,
    srttMs: metrics.smoothed_rtt,
    rtoMs: metrics.rto,
    sendWindow: metrics.send_window,
    sendMss: metrics.send_mss,
  };
}

function shownOfStats(stats: TcpStats) {
  const { state, flightSize, cwnd, ssthresh, srttMs, rtoMs, sendWindow, sendMss } = stats;
  return { state, flightSize, cwnd, ssthresh, srttMs, rtoMs, sendWindow, sendMss };
}
