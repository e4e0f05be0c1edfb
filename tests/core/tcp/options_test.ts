import { describe, expect, test } from "bun:test";
import { inEstablished, inListen, inSynReceived, inSynSent } from "../../support/dsl/builders.ts";
import type { TcpOptions } from "../../support/dsl/encode.ts";

/** The window scale that fits `receiveBuffer` into 16 bits. */
const SHIFT = 7;

/** The options of the SYN,ACK in response to a SYN with `options`. */
function answerTo(options: TcpOptions, profile: "local" | "internet", version: 4 | 6): TcpOptions {
  const t = inListen({ profile, version });
  t.send({ flags: "S", options });
  return t.recv({ flags: "S.", ack: 1 }).options;
}

describe("options of SYN,ACK", () => {
  // Options are sent only if the peer offered them.
  test("has only MSS if the SYN has none (RFC 7323 2.2)", () => {
    expect(answerTo({}, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({}, "local", 6)).toEqual({ mss: 1440 });
  });

  // Profile `internet` uses everything that the peer offers.
  test("has all options of profile internet (RFC 7323 3.2)", () => {
    const offered = {
      mss: 1460,
      sackPermitted: true,
      timestamps: [77, 0],
      windowScale: 7,
    } as const;
    const { timestamps, ...others } = answerTo(offered, "internet", 4);
    expect(others).toEqual({ mss: 1460, sackPermitted: true, windowScale: SHIFT });
    expect(timestamps?.[1]).toBe(77);
  });

  // Profile `local` does not use timestamps.
  test("has no timestamps in profile local (RFC 7323 3.2)", () => {
    const offered = {
      mss: 1460,
      sackPermitted: true,
      timestamps: [77, 0],
      windowScale: 7,
    } as const;
    expect(answerTo(offered, "local", 4)).toEqual({
      mss: 1460,
      sackPermitted: true,
      windowScale: SHIFT,
    });
  });

  // Parsing stops at a malformed option; the options before it are used.
  test("tolerates malformed options (RFC 9293 3.1, MUST-7)", () => {
    expect(answerTo({ mss: 1000, raw: [8, 0, 0, 0] }, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({ mss: 1000, raw: [3, 60, 1] }, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({ mss: 1000, raw: [254, 3, 9, 0] }, "internet", 4)).toEqual({ mss: 1460 });
  });
});

describe("options of SYN", () => {
  // All options of the profile are offered.
  test("offers the options of the profile (RFC 9293 3.7.1)", () => {
    const local = inSynSent();
    local.recv({
      at: 1000,
      flags: "S",
      seq: 0,
      window: 65535,
      options: { mss: 1460, sackPermitted: true, windowScale: SHIFT },
    });
    const internet = inSynSent({ profile: "internet", version: 6, mtu: 1280 });
    const { options } = internet.recv({ at: 1000, flags: "S", seq: 0 });
    expect(options).toMatchObject({ mss: 1220, sackPermitted: true, windowScale: SHIFT });
    expect(options.timestamps?.[1]).toBe(0);
  });
});

describe("maximum segment size", () => {
  // The peer's MSS; without the option 536 or 1220; at most what the MTU allows.
  test.each(
    [
      [{ version: 4, syn: {} }, 536],
      [{ version: 6, syn: {} }, 1220],
      [{ version: 4, syn: { mss: 900 } }, 900],
      [{ version: 4, syn: { mss: 9000 } }, 1460],
      [{ version: 6, syn: { mss: 9000 } }, 1440],
      [{ version: 4, syn: { mss: 1 } }, 64],
      [{ version: 4, syn: { mss: 9000 }, mtu: 9000 }, 8960],
    ] as const,
  )("is respected: %j (RFC 9293 3.7.1)", (setup, mss) => {
    const t = inEstablished(setup);
    t.write(mss + 10);
    t.recv({ length: mss });
    t.recv({ flags: "P.", length: 10 });
  });

  // Options reduce the text of a segment, so that the packet does not exceed the MTU.
  test("includes the timestamps option (RFC 9293 3.7.1)", () => {
    const t = inEstablished({ profile: "internet", syn: { mss: 1460, timestamps: [5000, 0] } });
    t.write(3000);
    expect(t.recv({ length: 1448 }).size).toBe(1500);
  });

  // The configured MSS is announced.
  test("can be configured (RFC 9293 3.7.1)", () => {
    const t = inListen({ tcp: { mss: 700 } });
    t.send({ flags: "S" });
    t.recv({ flags: "S.", ack: 1, options: { mss: 700 } });
  });
});

describe("window scale", () => {
  const SCALED = { mss: 1000, windowScale: 7 };

  // The windows of the SYNs are not scaled, all others are.
  test("scales every window but the SYN's (RFC 7323 2.2)", () => {
    const t = inSynReceived({ syn: SCALED, window: 1000 });
    expect(t.tcb.sndWnd).toBe(1000);
    t.send();
    expect(t.tcb.sndWnd).toBe(128_000);
  });

  // Our window: 1 MiB shifted by 5 fits into the field. A connection starts with 256 KiB of it.
  test("offers more than 65,535 bytes when scaled (RFC 7323 2.3)", () => {
    const t = inEstablished({ syn: SCALED, tcp: { receiveBuffer: 1024 * 1024 } });
    t.send({ data: 1400 });
    t.read();
    const { window } = t.recv({ ack: 1401 });
    expect(window << 5).toBeGreaterThan(250_000);
    expect(window << 5).toBeLessThanOrEqual(256 * 1024 + 32);
  });

  // Without the option, the window is at most 65,535.
  test("is not used unless the peer offers it (RFC 7323 2.2)", () => {
    const t = inEstablished({ syn: { mss: 1000 }, window: 65_535 });
    expect(t.tcb.sndWnd).toBe(65_535);
    t.send({ data: 2000 });
    t.read();
    t.recv({ ack: 2001, window: 65_535 });
  });

  // A larger shift is treated as 14.
  test("is at most 14 (RFC 7323 2.3)", () => {
    const t = inEstablished({ syn: { mss: 1000, windowScale: 200 }, window: 1 });
    expect(t.tcb.sndWnd).toBe(1 << 14);
  });

  // Read byte by byte, the right edge neither exceeds the buffer nor moves left by more than the
  // rounding, and text in that range is still accepted.
  test("rounding does not retract offered window (RFC 7323 2.4)", () => {
    const t = inEstablished({
      syn: { mss: 1000, windowScale: 0 },
      tcp: { receiveBuffer: 200_001 },
    });
    const shift = t.tcb.rcvWndShift;
    expect(shift).toBe(2);
    let edge = 0;
    t.send({ data: 50 });
    for (let i = 1; i <= 50; i++) {
      t.read(1);
      const { window } = t.recv({ ack: 1 + i });
      const offered = 1 + i + (window << shift);
      expect(offered).toBeGreaterThan(edge - (1 << shift));
      edge = Math.max(edge, offered);
    }
    expect(edge).toBeLessThanOrEqual(200_001 + 51 + 4);
    expect((t.tcb.rcvEdge - t.irs) >>> 0).toBe(edge);
  });
});
