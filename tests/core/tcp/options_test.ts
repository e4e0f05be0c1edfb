import { describe, expect, test } from "bun:test";
import { inEstablished, inListen, inSynReceived, inSynSent } from "../../support/dsl/builders.ts";
import type { TcpOptions } from "../../support/dsl/encode.ts";

/** The shift that lets a window of `receiveBuffer` be said in 16 bits. */
const SHIFT = 7;
const LOCAL_SHIFT = 4;

/** What SYN,ACK says to a SYN with `options`. */
function answerTo(options: TcpOptions, profile: "local" | "internet", version: 4 | 6): TcpOptions {
  const t = inListen({ profile, version });
  t.send({ flags: "S", options });
  return t.recv({ flags: "S.", ack: 1 }).options;
}

describe("options of SYN,ACK", () => {
  // An option is answered only if it was offered.
  test("answers a bare SYN with MSS alone (RFC 7323 2.2)", () => {
    expect(answerTo({}, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({}, "local", 6)).toEqual({ mss: 1440 });
  });

  // Profile `internet` uses everything that the peer offers.
  test("answers all that profile internet knows (RFC 7323 3.2)", () => {
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

  // Profile `local` has no use for timestamps.
  test("leaves timestamps out in profile local (RFC 7323 3.2)", () => {
    const offered = {
      mss: 1460,
      sackPermitted: true,
      timestamps: [77, 0],
      windowScale: 7,
    } as const;
    expect(answerTo(offered, "local", 4)).toEqual({
      mss: 1460,
      sackPermitted: true,
      windowScale: LOCAL_SHIFT,
    });
  });

  // What cannot be read ends the list; what came before it counts.
  test("survives options that are malformed (RFC 9293 3.1, MUST-7)", () => {
    expect(answerTo({ mss: 1000, raw: [8, 0, 0, 0] }, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({ mss: 1000, raw: [3, 60, 1] }, "internet", 4)).toEqual({ mss: 1460 });
    expect(answerTo({ mss: 1000, raw: [254, 3, 9, 0] }, "internet", 4)).toEqual({ mss: 1460 });
  });
});

describe("options of SYN", () => {
  // Everything that the profile knows is offered.
  test("offers what the profile has (RFC 9293 3.7.1)", () => {
    const local = inSynSent();
    local.recv({
      at: 1000,
      flags: "S",
      seq: 0,
      window: 65535,
      options: { mss: 1460, sackPermitted: true, windowScale: LOCAL_SHIFT },
    });
    const internet = inSynSent({ profile: "internet", version: 6, mtu: 1280 });
    const { options } = internet.recv({ at: 1000, flags: "S", seq: 0 });
    expect(options).toMatchObject({ mss: 1220, sackPermitted: true, windowScale: SHIFT });
    expect(options.timestamps?.[1]).toBe(0);
  });
});

describe("maximum segment size", () => {
  // The peer's, if it said one; 536 and 1220 if it did not; what the link carries at most.
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

  // Options take their room from the text, so that the packet is no longer than it may be.
  test("counts timestamps in (RFC 9293 3.7.1)", () => {
    const t = inEstablished({ profile: "internet", syn: { mss: 1460, timestamps: [5000, 0] } });
    t.write(3000);
    expect(t.recv({ length: 1448 }).size).toBe(1500);
  });

  // A configured MSS is what is announced.
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

  // Ours: 1 MiB shifted by 5 fits into the field. A connection begins with 256 KiB of it.
  test("offers more than the field once it is scaled (RFC 7323 2.3)", () => {
    const t = inEstablished({ syn: SCALED, tcp: { receiveBuffer: 1024 * 1024 } });
    t.send({ data: 1400 });
    t.read();
    const { window } = t.recv({ ack: 1401 });
    expect(window << 5).toBeGreaterThan(250_000);
    expect(window << 5).toBeLessThanOrEqual(256 * 1024 + 32);
  });

  // Without the option no window is larger than the field.
  test("is not used when the peer does not offer it (RFC 7323 2.2)", () => {
    const t = inEstablished({ syn: { mss: 1000 }, window: 65_535 });
    expect(t.tcb.sndWnd).toBe(65_535);
    t.send({ data: 2000 });
    t.read();
    t.recv({ ack: 2001, window: 65_535 });
  });

  // A shift above 14 counts as 14.
  test("is at most 14 (RFC 7323 2.3)", () => {
    const t = inEstablished({ syn: { mss: 1000, windowScale: 200 }, window: 1 });
    expect(t.tcb.sndWnd).toBe(1 << 14);
  });

  // Read byte by byte the edge neither creeps beyond the buffer nor moves left by more than what
  // rounding up had added, and that is still taken.
  test("rounding takes back nothing that was offered (RFC 7323 2.4)", () => {
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
