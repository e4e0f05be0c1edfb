import { describe, expect, test } from "bun:test";
import { ECN } from "../../../core/tcp/tcb_flags.ts";
import { inEstablished, inListen, inSynSent, type Setup } from "../../support/dsl/builders.ts";
import type { SentSegment } from "../../support/dsl/decode.ts";
import type { Trace } from "../../support/dsl/trace.ts";

const WITH_ECN = {
  profile: "internet",
  tcp: { ecn: true, delayedAckMs: 0 },
} as const satisfies Setup;
const CONGESTION_EXPERIENCED = 3;

function codepoint({ trafficClass }: SentSegment): number {
  return trafficClass & 3;
}

/** ESTABLISHED with ECN negotiated. */
function negotiated(setup: Setup = {}): Trace {
  const t = inListen({ ...WITH_ECN, ...setup });
  t.send({ flags: "SEW", options: { mss: 1000, sackPermitted: true } });
  t.recv({ flags: "SE.", ack: 1 });
  t.send({ at: 10 });
  t.wire.restartClock();
  return t;
}

describe("explicit congestion notification", () => {
  // ECE and CWR in the SYN are answered with ECE in the SYN,ACK.
  test("is negotiated by the SYNs (RFC 3168 6.1.1)", () => {
    expect(negotiated().tcb.has(ECN)).toBe(true);
    expect(inEstablished(WITH_ECN).tcb.has(ECN)).toBe(false);
    expect(inEstablished().tcb.has(ECN)).toBe(false);
  });

  // The SYN may have been dropped because of these bits, so it is retransmitted without them.
  test("is offered in the first SYN only (RFC 3168 6.1.1.1)", () => {
    const t = inSynSent();
    expect(t.tcb.config.ecn).toBe(false);
    const offered = inListen(WITH_ECN).other({ localPort: 50_000, remotePort: 80 });
    offered.connect();
    expect(codepoint(offered.recv({ flags: "SEW" }))).toBe(0);
    offered.recv({ at: 1000, flags: "S", seq: 0 });
  });

  // New data is ECN-capable; ACKs and retransmissions are not.
  test("sets ECT on new data only (RFC 3168 6.1.4 and 6.1.5)", () => {
    const t = negotiated();
    t.write(100);
    expect(codepoint(t.recv({ flags: "P.", length: 100 }))).toBe(2);
    expect(codepoint(t.recv({ at: 210, flags: "P.", seq: 1, length: 100 }))).toBe(0);
    t.send({ ack: 101, data: 10 });
    expect(codepoint(t.recv({ ack: 11 }))).toBe(0);
  });

  // ECE is set in each ACK until the peer sends CWR.
  test("echoes CE until CWR (RFC 3168 6.1.3)", () => {
    const t = negotiated();
    t.send({ data: 10, ecn: CONGESTION_EXPERIENCED });
    t.recv({ flags: "E.", ack: 11 });
    t.send({ data: 10 });
    t.recv({ flags: "E.", ack: 21 });
    t.send({ flags: "PW.", data: 10 });
    t.recv({ flags: ".", ack: 31 });
  });

  // ECE reduces the window once per round trip, and the next data segment has CWR.
  test.each([1, 0x7fffffff, 0xf0000000])(
    "reduces the window once and sends CWR, ISS %d (RFC 3168 6.1.2)",
    (iss) => {
      const t = negotiated({ iss });
      t.write(10_000);
      t.recvAll();
      const before = t.tcb.congestion.cwnd;
      t.send({ at: 10, flags: "E.", ack: 1001 });
      const cut = t.tcb.congestion.cwnd;
      expect(cut).toBeLessThan(before);
      t.send({ flags: "E.", ack: 2001 });
      expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cut);
      t.recvNothing();
      t.send({ at: 20, ack: 10_001 });
      t.write(100);
      t.recv({ flags: "PW.", length: 100 });
      t.write(100);
      t.recv({ flags: "P.", length: 100 });
    },
  );
});
