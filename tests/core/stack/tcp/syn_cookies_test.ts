import { describe, expect, test } from "bun:test";
import { EventLogRequest } from "../../../../core/stack/tcp/event_logs.ts";
import type { Listener } from "../../../../core/stack/tcp/listener.ts";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import { ECN, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALING } from "../../../../core/tcp/tcb_flags.ts";
import { inListen, type Setup } from "../../../support/dsl/builders.ts";
import type { TcpOptions } from "../../../support/dsl/encode.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

const SLOT_MS = 64_000;
const SCALE = 7;
const FULL: TcpOptions = {
  mss: 1460,
  sackPermitted: true,
  timestamps: [777, 0],
  windowScale: SCALE,
};

/** Disables retransmissions, which are not the subject here. */
const NEVER = { initialRtoMs: 10_000_000, maxRtoMs: 10_000_000 };

/** The flags of the options that both sides have. */
function optionsInUse({ flags }: Tcb): number {
  return flags & (WINDOW_SCALING | SACK_PERMITTED | TIMESTAMPS | ECN);
}

/** A listener whose backlog of one is taken by a silent peer. */
function inFlood(setup: Setup = {}): Trace {
  const t = inListen({ backlog: 1, ...setup, tcp: { ...NEVER, ...setup.tcp } });
  takePlace(t);
  t.wire.restartClock();
  return t;
}

function takePlace(t: Trace): void {
  const squatter = t.other({ remotePort: 39_999 });
  squatter.send({ flags: "S" });
  squatter.recv({ flags: "S.", ack: 1 });
}

/** A SYN from another peer, answered with a cookie and without state. */
function withCookie(t: Trace, options: TcpOptions, flags = "S"): Trace {
  const peer = t.other({ remotePort: 40_001, irs: 7_000_000 });
  const before = t.wire.stack.tcp.connectionCount;
  peer.send({ flags, options });
  const echoes = flags !== "S" && options.timestamps !== undefined;
  const answer = peer.recv({ flags: echoes ? "S.E" : "S.", ack: 1 });
  expect(t.wire.stack.tcp.connectionCount).toBe(before);
  // Without timestamps, only the MSS can be offered.
  if (answer.options.timestamps === undefined) expect(Object.keys(answer.options)).toEqual(["mss"]);
  peer.timestamps = answer.options.timestamps !== undefined;
  return peer;
}

describe("a SYN when the backlog is full", () => {
  for (const version of [4, 6] as const) {
    for (const profile of ["local", "internet"] as const) {
      // The SYN,ACK is as usual; the ACK opens the connection, and text flows in both directions.
      test(`is answered with a cookie, IPv${version}, ${profile} (RFC 4987 3.6)`, () => {
        const t = inFlood({ version, profile });
        const peer = withCookie(t, { mss: 1000 });
        peer.send({ at: 30 });
        expect(peer.state).toBe("ESTABLISHED");
        peer.send({ flags: "P.", data: 100 });
        if (profile === "local") expect(peer.read()).toBe(100);
        else peer.at(70);
        peer.recv({ seq: 1, ack: 101 });
        peer.write(10);
        peer.recv({ flags: "P.", length: 10 });
        expect(t.wire.stack.stats.snapshot()).toMatchObject({
          synCookiesSent: 1,
          synCookiesReturned: 1,
          resetsSent: 0,
        });
      });

      // The SYN has left no state, so an event log that was asked for before begins with the ACK.
      test(`is not in the event log of its connection, IPv${version}, ${profile}`, () => {
        const t = inFlood({ version, profile });
        const { eventLogs } = t.wire.stack.tcp;
        const request = new EventLogRequest(undefined, undefined, 100);
        eventLogs.request(request);
        const peer = withCookie(t, { mss: 1000 });
        expect(request.opened).toBe(undefined);
        peer.send({ at: 30 });
        const { queue } = request.opened!.source;
        expect(queue.shift()).toMatchObject({ name: "tcp:snapshot", data: { role: "server" } });
        expect(queue.shift()).toMatchObject({
          name: "tcp:segment_received",
          data: { header: { flags: ["ACK"] } },
        });
      });
    }
  }

  // The ACK is lost; the first text carries the same numbers and does not have to be retransmitted.
  test("opens the connection with the first text if the ACK is lost (RFC 4987 3.6)", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), FULL);
    peer.send({ flags: "P.", data: 500, ack: 1 });
    expect(peer.tcb.receive.readable).toBe(500);
    expect(peer.read()).toBe(500);
  });

  // A client that sends its text with a FIN.
  test("opens the connection with text and FIN", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), { mss: 1000 });
    peer.send({ flags: "FP.", data: 50, ack: 1 });
    peer.recv({ seq: 1, ack: 52 });
    expect(peer.state).toBe("CLOSE-WAIT");
  });

  // A listener that decides about SYNs cannot do so at the ACK, so an older attempt is evicted.
  test("gets no cookie from a listener that decides about SYNs", () => {
    const t = inListen();
    t.wire.listen(81, { backlog: 1, decides: true });
    for (const remotePort of [1, 2]) t.other({ localPort: 81, remotePort }).send({ flags: "S" });
    t.recvNothing();
    expect(t.wire.stack.stats.snapshot()).toMatchObject({ halfOpenEvicted: 1, synCookiesSent: 0 });
  });
});

describe("a cookie", () => {
  // With timestamps, all options of the SYN are preserved.
  test.each([0, 2, SCALE, 14])(
    "keeps window scale %d, SACK and ECN in the timestamp (RFC 4987 3.6)",
    (windowScale) => {
      const t = inFlood({ profile: "internet", tcp: { ecn: true } });
      const peer = withCookie(t, { ...FULL, windowScale }, "SEW");
      peer.send({ at: 10, window: 1000 });
      expect(optionsInUse(peer.tcb!)).toBe(
        WINDOW_SCALING | SACK_PERMITTED | TIMESTAMPS | ECN,
      );
      expect(peer.tcb).toMatchObject({
        sndWndShift: windowScale,
        sendMss: 1460 - 12,
        sndWnd: 1000 << windowScale,
      });
    },
  );

  // Options that were not offered are not used.
  test("preserves that options were not offered", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), { mss: 1460, timestamps: [777, 0] });
    peer.send({ at: 10 });
    expect(optionsInUse(peer.tcb!)).toBe(TIMESTAMPS);
  });

  // Without timestamps, only the MSS can be encoded, so nothing else is offered.
  for (const profile of ["local", "internet"] as const) {
    test(`without timestamps preserves only the MSS, ${profile} (RFC 4987 3.6)`, () => {
      const t = inFlood({ profile, tcp: { ecn: true } });
      const { timestamps: _, ...options } = FULL;
      const peer = withCookie(t, options, profile === "internet" ? "SEW" : "S");
      peer.send({ at: 10, window: 5000 });
      expect(optionsInUse(peer.tcb!)).toBe(0);
      expect(peer.tcb).toMatchObject({
        sendMss: 1460,
        sndWnd: 5000,
      });
    });
  }

  // Rounded down, so that segments are never larger than the peer's MSS.
  test.each([[undefined, 536], [64, 64], [535, 64], [536, 536], [1459, 1440], [9000, 1460]])(
    "keeps an MSS of %s as %d",
    (mss, kept) => {
      const peer = withCookie(inFlood(), mss === undefined ? {} : { mss });
      peer.send({ at: 10 });
      expect(peer.tcb.peerMss).toBe(kept);
    },
  );

  test.each([[undefined, 536], [1220, 1220], [1439, 1420], [1440, 1440], [8000, 1440]])(
    "over IPv6 keeps an MSS of %s as %d",
    (mss, kept) => {
      const peer = withCookie(inFlood({ version: 6 }), mss === undefined ? {} : { mss });
      peer.send({ at: 10 });
      // RFC 9293 3.7.1: the default is 1220 over IPv6.
      expect(peer.tcb.peerMss).toBe(mss === undefined ? 1220 : kept);
    },
  );

  // The timestamp in the SYN,ACK is up to 63 ms old. Later ones must not be before it, or the
  // peer's PAWS would drop the segments. Also after 25 and 50 days.
  test.each([1_000_000, 2 ** 31 + 5, 2 ** 32 + 77])(
    "does not make timestamps go back, at %d ms (RFC 7323 5.3)",
    (start) => {
      for (let offset = 0; offset < 70; offset += 7) {
        const t = inFlood({ profile: "internet", start: start + offset });
        const peer = t.other({ remotePort: 40_001 });
        peer.send({ flags: "S", options: FULL });
        const [first] = peer.recv({ flags: "S.", ack: 1 }).options.timestamps!;
        peer.timestamps = true;
        peer.send({ flags: "P.", data: 10, ack: 1 });
        peer.at(40);
        const [second] = peer.recv({ seq: 1, ack: 11 }).options.timestamps!;
        expect((second - first) | 0).toBeGreaterThanOrEqual(40);
        expect((second - first) | 0).toBeLessThanOrEqual(40 + 63);
      }
    },
  );

  // The time of the SYN,ACK is unknown, so it gives no RTT sample.
  test("gives no RTT sample without timestamps (RFC 6298 3)", () => {
    const peer = withCookie(inFlood(), { mss: 1000 });
    peer.send({ at: 5000 });
    expect(peer.tcb.srttUs).toBe(0);
  });

  // The cookie is valid in its own time slot and the next.
  test("expires", () => {
    const t = inFlood({ start: 10 * SLOT_MS + 1 });
    const peer = withCookie(t, { mss: 1000 });
    // Another peer's cookie keeps cookies in use.
    t.at(2 * SLOT_MS - 100);
    takePlace(t);
    const other = t.other({ remotePort: 40_002 });
    other.send({ flags: "S" });
    other.recv({ flags: "S.", ack: 1 });
    peer.send({ at: 2 * SLOT_MS + 10, ack: 1 });
    peer.recv({ flags: "R", seq: 1 });
    expect(t.wire.stack.stats.synCookiesReturned).toBe(0);
    other.send({});
    expect(other.state).toBe("ESTABLISHED");
  });

  // Covers both sequence numbers, both ports and both addresses.
  test.each([
    ["the acknowledgement", {}, { ack: 2 }],
    ["the slot of time", {}, { ack: 1 + 2 ** 27 * 5 }],
    ["the MSS", {}, { ack: 1 + 2 ** 24 }],
    ["the sequence number", {}, { seq: 2 }],
    ["the port", { remotePort: 40_007 }, {}],
    ["the address", { remote: "10.0.0.7" }, {}],
  ])(
    "that was forged in %s is answered with a RST (RFC 9293 3.10.7.2)",
    (_, ends, forged: { seq?: number; ack?: number }) => {
      const t = inFlood();
      const peer = withCookie(t, { mss: 1000 });
      const forger = t.other({ remotePort: 40_001, irs: 7_000_000, ...ends });
      forger.iss = peer.iss;
      forger.send({ seq: 1, ack: 1, ...forged });
      forger.recv({ flags: "R", seq: forged.ack ?? 1 });
      expect(t.wire.stack.tcp.connectionCount).toBe(1);
      // The genuine ACK still works.
      peer.send({});
      expect(peer.state).toBe("ESTABLISHED");
    },
  );

  // An ACK without a connection is checked as a cookie only while cookies may be valid.
  test("is checked for only while cookies are in use", () => {
    const t = inFlood();
    const peer = withCookie(t, { mss: 1000 });
    const late = t.other({ remotePort: 40_001, irs: 7_000_000 });
    late.iss = peer.iss;
    // Cookies stay in use for two slots, and the cookie itself for no longer.
    late.send({ at: 2 * SLOT_MS + 1, seq: 1, ack: 1 });
    late.recv({ flags: "R", seq: 1 });
  });

  // The accept queue is full: the ACK is dropped without RST, and the text that follows opens the
  // connection once there is room.
  test("waits for room in the accept queue", () => {
    const t = inFlood();
    const first = withCookie(t, { mss: 1000 });
    const second = t.other({ remotePort: 40_002 });
    second.send({ flags: "S" });
    second.recv({ flags: "S.", ack: 1 });
    first.send({});
    expect(first.state).toBe("ESTABLISHED");
    second.send({});
    second.recvNothing();
    const listener = first.tcb.listener as { ready: unknown[] };
    listener.ready.length = 0;
    second.send({ data: 10, seq: 1, ack: 1 });
    expect(second.state).toBe("ESTABLISHED");
  });

  // The listener decides about SYNs from now on; a cookie that it sent before still opens.
  test("opens the connection even if the listener decides about SYNs by now", () => {
    const t = inFlood();
    const peer = withCookie(t, { mss: 1000 });
    const { listener } = t.other({ remotePort: 39_999 }).tcb;
    (listener as Listener).decides = true;
    peer.send({});
    expect(peer.state).toBe("ESTABLISHED");
  });

  // A RST of the peer ends the connection as usual.
  test("opens a connection that can be reset", () => {
    const t = inFlood();
    const peer = withCookie(t, { mss: 1000 });
    peer.send({});
    expect(peer.state).toBe("ESTABLISHED");
    peer.send({ flags: "R", seq: 1 });
    expect(peer.isForgotten).toBe(true);
  });
});
