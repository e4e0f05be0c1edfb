import { describe, expect, test } from "bun:test";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import { TCB } from "../../../../core/tcp/tcb_flags.ts";
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

/** Nothing is sent again: these tests are about what comes. */
const NEVER = { initialRtoMs: 10_000_000, maxRtoMs: 10_000_000 };

/** The flags of the options that both sides have. */
function optionsInUse({ flags }: Tcb): number {
  return flags & (TCB.WINDOW_SCALING | TCB.SACK_PERMITTED | TCB.TIMESTAMPS | TCB.ECN);
}

/** A listener whose only place is taken by somebody who says nothing. */
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

/** Another peer's SYN, answered with a cookie: nothing is kept. */
function withCookie(t: Trace, options: TcpOptions, flags = "S"): Trace {
  const peer = t.other({ remotePort: 40_001, irs: 7_000_000 });
  const before = t.wire.stack.tcp.connectionCount;
  peer.send({ flags, options });
  const echoes = flags !== "S" && options.timestamps !== undefined;
  const answer = peer.recv({ flags: echoes ? "S.E" : "S.", ack: 1 });
  expect(t.wire.stack.tcp.connectionCount).toBe(before);
  // Nothing is offered that the ACK does not bring back.
  if (answer.options.timestamps === undefined) expect(Object.keys(answer.options)).toEqual(["mss"]);
  peer.timestamps = answer.options.timestamps !== undefined;
  return peer;
}

describe("a SYN for which there is no place", () => {
  for (const version of [4, 6] as const) {
    for (const profile of ["local", "internet"] as const) {
      // The SYN,ACK is what it would be otherwise; the ACK makes the connection, and text goes both
      // ways.
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
    }
  }

  // The ACK was lost; what comes is the first text, which carries the same numbers. None of it has to
  // come again.
  test("is opened by the first text as well (RFC 4987 3.6)", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), FULL);
    peer.send({ flags: "P.", data: 500, ack: 1 });
    expect(peer.tcb.receive.readable).toBe(500);
    expect(peer.read()).toBe(500);
  });

  // Text and FIN at once: a client that has said all it has to say.
  test("is opened by text with a FIN as well", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), { mss: 1000 });
    peer.send({ flags: "FP.", data: 50, ack: 1 });
    peer.recv({ seq: 1, ack: 52 });
    expect(peer.state).toBe("CLOSE-WAIT");
  });

  // Whoever decides about SYNs cannot do so when the ACK comes: the older attempt makes room.
  test("is answered with no cookie where somebody decides about it", () => {
    const t = inListen();
    t.wire.listen(81, { backlog: 1, decides: true });
    for (const remotePort of [1, 2]) t.other({ localPort: 81, remotePort }).send({ flags: "S" });
    t.recvNothing();
    expect(t.wire.stack.stats.snapshot()).toMatchObject({ halfOpenEvicted: 1, synCookiesSent: 0 });
  });
});

describe("a cookie", () => {
  // With timestamps everything that the SYN said comes back.
  test.each([0, 2, SCALE, 14])(
    "keeps window scale %d, SACK and ECN in the timestamp (RFC 4987 3.6)",
    (windowScale) => {
      const t = inFlood({ profile: "internet", tcp: { ecn: true } });
      const peer = withCookie(t, { ...FULL, windowScale }, "SEW");
      peer.send({ at: 10, window: 1000 });
      expect(optionsInUse(peer.tcb!)).toBe(
        TCB.WINDOW_SCALING | TCB.SACK_PERMITTED | TCB.TIMESTAMPS | TCB.ECN,
      );
      expect(peer.tcb).toMatchObject({
        sndWndShift: windowScale,
        sendMss: 1460 - 12,
        sndWnd: 1000 << windowScale,
      });
    },
  );

  // What was not offered is not in use afterwards either.
  test("keeps that options were not offered", () => {
    const peer = withCookie(inFlood({ profile: "internet" }), { mss: 1460, timestamps: [777, 0] });
    peer.send({ at: 10 });
    expect(optionsInUse(peer.tcb!)).toBe(TCB.TIMESTAMPS);
  });

  // Without timestamps there is room for the MSS alone: nothing else is offered.
  for (const profile of ["local", "internet"] as const) {
    test(`without timestamps keeps the MSS alone, ${profile} (RFC 4987 3.6)`, () => {
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

  // Rounded down: never a segment that the peer cannot take.
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
      // RFC 9293 3.7.1: absent stands for 1220 over IPv6.
      expect(peer.tcb.peerMss).toBe(mss === undefined ? 1220 : kept);
    },
  );

  // The timestamp in the SYN,ACK is at most 63 ms old; those that follow are not before it, or the
  // peer's PAWS would drop them. Also after 25 and after 50 days.
  test.each([1_000_000, 2 ** 31 + 5, 2 ** 32 + 77])(
    "sends no timestamp before another, at %d ms (RFC 7323 5.3)",
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

  // When the SYN,ACK was sent is not known, so its round trip is not measured by it.
  test("gives no round-trip sample without timestamps (RFC 6298 3)", () => {
    const peer = withCookie(inFlood(), { mss: 1000 });
    peer.send({ at: 5000 });
    expect(peer.tcb.srtt).toBe(0);
  });

  // It is good for its slot of time and the next.
  test("expires", () => {
    const t = inFlood({ start: 10 * SLOT_MS + 1 });
    const peer = withCookie(t, { mss: 1000 });
    // Somebody else's keeps cookies in use.
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

  // Every number counts: the peer's, the stack's, both ports and both addresses.
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
      // The right one still counts.
      peer.send({});
      expect(peer.state).toBe("ESTABLISHED");
    },
  );

  // An ACK out of nowhere is looked at as a cookie only while cookies are out.
  test("is looked for only while cookies are in use", () => {
    const t = inFlood();
    const peer = withCookie(t, { mss: 1000 });
    const late = t.other({ remotePort: 40_001, irs: 7_000_000 });
    late.iss = peer.iss;
    // Cookies stay in use for two slots, and the cookie itself for no longer.
    late.send({ at: 2 * SLOT_MS + 1, seq: 1, ack: 1 });
    late.recv({ flags: "R", seq: 1 });
  });

  // The place became free, and others have taken every one: the ACK is dropped without a RST, the
  // text that follows opens the connection when there is a place again.
  test("waits for a place among those that are to be accepted", () => {
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

  // Its RST comes from the same numbers as any peer's.
  test("makes a connection that can be reset", () => {
    const t = inFlood();
    const peer = withCookie(t, { mss: 1000 });
    peer.send({});
    expect(peer.state).toBe("ESTABLISHED");
    peer.send({ flags: "R", seq: 1 });
    expect(peer.isForgotten).toBe(true);
  });
});
