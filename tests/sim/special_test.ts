import { describe, expect, test } from "bun:test";
import type { LinkFeatures } from "../../core/stack/link.ts";
import type { AcknowledgePolicy, TcpConfig } from "../../core/tcp/config.ts";
import { type Habits, PLAIN } from "./application.ts";
import { assertOutcome } from "./outcome.ts";
import { QUIET } from "./scenario.ts";
import { type Conditions, PERFECT } from "./wire.ts";
import { type Scenario, World } from "./world.ts";

const PROFILES = ["local", "internet"] as const;
const POLICIES: readonly AcknowledgePolicy[] = ["on-read", "on-processed", "on-arrival"];
const MIB = 1024 * 1024;

interface Given {
  seed?: number;
  profile?: "local" | "internet";
  tcp?: Partial<TcpConfig>;
  wire?: Partial<Conditions>;
  /** Conditions only in the client's direction. */
  fromClient?: Partial<Conditions>;
  client?: Partial<Habits>;
  server?: Partial<Habits>;
  features?: Partial<LinkFeatures>;
  pauses?: Scenario["pauses"];
  again?: Scenario["again"];
}

/** Both sides have the same profile and options, both directions the same conditions. */
function world(given: Given): World {
  const profile = given.profile ?? "local";
  const tcp = { orphanTimeoutMs: 900_000, ...given.tcp };
  const wire = { ...PERFECT, delayMs: 10, ...given.wire };
  const scenario: Scenario = {
    ...QUIET,
    seed: given.seed ?? 1,
    profiles: [profile, profile],
    tcp: [tcp, tcp],
    conditions: [{ ...wire, ...given.fromClient }, wire],
    habits: [{ ...PLAIN, ...given.client }, { ...PLAIN, ...given.server }],
    features: { ...QUIET.features, ...given.features },
    pauses: given.pauses ?? [[], []],
    again: given.again ?? [],
  };
  return new World(scenario).start();
}

function combinations<A, B>(first: readonly A[], second: readonly B[]): [A, B][] {
  return first.flatMap((a) => second.map((b): [A, B] => [a, b]));
}

describe("a client that half-closes", () => {
  const cases = combinations(combinations(PROFILES, POLICIES), [0, 0.05, 0.3])
    .map(([[profile, acknowledge], loss]) => ({ profile, acknowledge, loss }));

  // The client sends and half-closes; then the server answers. The client gets the whole answer and
  // EOF, and neither side gets an error.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "gets everything, then EOF, never an error: %s (RFC 9293 3.6)",
    (_, { profile, acknowledge, loss }) => {
      for (let seed = 1; seed <= 10; seed++) {
        const server = { answers: seed % 2 === 0, total: 50_000 };
        const client = { total: 30_000 };
        const one = world({ seed, profile, tcp: { acknowledge }, wire: { loss }, client, server });
        expect([seed, assertOutcome(one.run())]).toEqual([seed, "complete"]);
      }
    },
  );
});

describe("a reader that stops for ten minutes", () => {
  const cases = combinations(
    combinations(PROFILES, POLICIES),
    combinations(["half-close", "close"] as const, [65_535, MIB]),
  ).map(([[profile, acknowledge], [ending, receiveBuffer]]) => ({
    profile,
    acknowledge,
    ending,
    receiveBuffer,
  }));

  // When it resumes, it gets the data that was unread, in the window and at the writer, even if the
  // writer closed long ago.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "loses nothing: %s (RFC 9293 3.8.6.1)",
    (_, { profile, acknowledge, ending, receiveBuffer }) => {
      for (const loss of [0, 0.1]) {
        const one = world({
          profile,
          tcp: { acknowledge, receiveBuffer },
          wire: { loss },
          client: { total: 300_000, ending },
          server: { total: 0, readMost: 10_000, stallAfter: 1, stallMs: 600_000, answers: true },
        });
        assertOutcome(one.run());
        expect(one.server).toMatchObject({ received: 300_000, eof: true });
        expect(one.client.ended).toEqual({ error: undefined });
        expect(one.server!.ended).toEqual({ error: undefined });
      }
    },
  );
});

describe("an impaired link", () => {
  // Down for a minute in the middle of a transfer: the retransmission timeout recovers.
  test.each(PROFILES)(
    "that is down for 60 s loses nothing, profile %s (RFC 6298 5.5)",
    (profile) => {
      const one = world({
        profile,
        wire: { bytesPerMs: 1000, queueBytes: 100_000, deadFrom: 1300, deadUntil: 61_300 },
        client: { total: MIB },
        server: { total: MIB },
      });
      expect(assertOutcome(one.run())).toBe("complete");
      expect(one.client.lastByteAt).toBeGreaterThan(61_300);
      expect(one.client.lastByteAt).toBeLessThan(180_000);
    },
  );

  // Nearly every third packet is lost.
  test.each(PROFILES)(
    "that loses 30 % carries 1 MiB, profile %s (RFC 6298, RFC 8985)",
    (profile) => {
      for (let seed = 1; seed <= 3; seed++) {
        const one = world({ seed, profile, wire: { loss: 0.3 }, client: { total: MIB } });
        expect(assertOutcome(one.run())).toBe("complete");
      }
    },
  );

  // Half of the packets are delayed by up to half an RTT, and nothing is lost: RACK adapts, and
  // does not mark delayed segments lost.
  test.each(PROFILES)(
    "that reorders keeps most of its goodput, profile %s (RFC 8985)",
    (profile) => {
      const timeOf = (reorder: number) => {
        const wire = { reorder, reorderMs: 10, bytesPerMs: 2000, queueBytes: 400_000 };
        const one = world({ profile, wire, client: { total: 4 * MIB }, server: { total: 0 } });
        expect(assertOutcome(one.run())).toBe("complete");
        return one.server!.lastByteAt - 1000;
      };
      expect(timeOf(0) / timeOf(0.5)).toBeGreaterThan(0.5);
    },
  );

  // Without delay, much is sent at the same time while the reader pauses. A retransmission must not
  // be marked lost because of data sent before it; otherwise both sides would never stop.
  test("without delay causes no endless retransmissions (RFC 8985 6.2)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const one = world({
        seed,
        tcp: { sendBuffer: 10_000 },
        wire: { delayMs: 0 },
        fromClient: { loss: 0.2 },
        client: { total: 20_000 },
        server: { total: 0, readMost: 100, readPauseMs: 5 },
      });
      expect(assertOutcome(one.run())).toBe("complete");
      expect(one.packets).toBeLessThan(20_000);
    }
  });

  // The server's SYN,ACK takes longer than the lifetime of a half-open connection, which
  // retransmitted SYNs extend.
  test("that is down for a minute during the handshake still connects (RFC 9293 3.8.3)", () => {
    const tcp = { connectTimeoutMs: 900_000 };
    const one = world({ tcp, wire: { deadFrom: 1005, deadUntil: 62_000 } });
    expect(assertOutcome(one.run())).toBe("complete");
  });

  // The ACK of the SYN,ACK is lost and the client has nothing to send: it waits for the server,
  // whose application gets the connection only once the client repeats its ACK.
  test.each(PROFILES)("that loses the last ACK of the handshake, profile %s", (profile) => {
    const one = world({
      profile,
      fromClient: { lostPackets: [1] },
      client: { total: 0, ending: "half-close", endPauseMs: 10_000 },
      server: { total: 5000 },
    });
    expect(assertOutcome(one.run())).toBe("complete");
    expect(one.client.lastByteAt).toBeLessThan(4000);
  });
});

describe("a path whose MTU decreases", () => {
  const narrow = { from: 1100, until: Infinity, mtu: 1000 };
  const cases = combinations(PROFILES, ["mtu", "too-big"] as const);

  // Packets of 9000 bytes were delivered; then a router drops them with an ICMP error, which avoids
  // any timeout.
  test.each(cases)(
    "is reported by its router, profile %s, ICMP %s (RFC 1191 6)",
    (profile, tells) => {
      const one = world({
        profile,
        features: { mtu: 9000 },
        wire: { narrow: { ...narrow, tells }, bytesPerMs: 1000 },
        client: { total: MIB },
      });
      expect(assertOutcome(one.run())).toBe("complete");
      expect(one.client.tcb.pathMtu).toBeLessThanOrEqual(1000);
      expect(one.server!.lastByteAt).toBeLessThan(4000);
    },
  );

  // The same without ICMP errors: two sizes are given up, each after some timeouts with backoff.
  test.each(PROFILES)("without ICMP errors is detected, profile %s (RFC 8899 4.3)", (profile) => {
    const one = world({
      profile,
      features: { mtu: 9000 },
      wire: { narrow: { ...narrow, tells: "nothing" }, bytesPerMs: 1000 },
      client: { total: MIB },
    });
    expect(assertOutcome(one.run())).toBe("complete");
    expect(one.client.tcb.pathMtu).toBeLessThanOrEqual(1000);
    expect(one.server!.lastByteAt).toBeLessThan(200_000);
  });

  // Small segments are delivered and answered: the peer responds after every timeout, but never
  // acknowledges a large segment.
  test.each(PROFILES)(
    "without ICMP errors is detected although the peer responds, profile %s (RFC 8899 4.3)",
    (profile) => {
      const one = world({
        profile,
        tcp: { sack: false },
        fromClient: { narrow: { ...narrow, from: 1000, mtu: 1400, tells: "nothing" } },
        client: { total: 20_000, writeMost: 20_000 },
        server: { total: 100_000, writeMost: 1, writePauseMs: 10 },
      });
      expect(assertOutcome(one.run())).toBe("complete");
      expect(one.server!.lastByteAt).toBeLessThan(120_000);
    },
  );
});

describe("a host that pauses", () => {
  const cases = combinations(
    combinations(PROFILES, ["packets", "timers"] as const),
    [0, 1] as const,
  )
    .map(([[profile, first], side]) => ({ profile, first, side }));

  // In the middle of a transfer the sender or receiver pauses for 20 s. Then all deferred events
  // happen at once, and late packets do not end the connection.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "loses nothing: %s",
    (_, { profile, first, side }) => {
      const pause = [{ from: 1200, until: 21_200, first }];
      const one = world({
        profile,
        wire: { bytesPerMs: 1000, loss: 0.02 },
        client: { total: MIB },
        server: { total: MIB },
        pauses: side === 0 ? [pause, []] : [[], pause],
      });
      expect(assertOutcome(one.run())).toBe("complete");
      expect(one.server!.lastByteAt).toBeGreaterThan(21_200);
      expect(one.server!.lastByteAt).toBeLessThan(60_000);
    },
  );
});

describe("a client that reconnects", () => {
  const endings = ["half-close", "close", "abort"] as const;
  const cases = combinations(combinations(endings, PROFILES), [true, false])
    .map(([[ending, profile], samePort]) => ({ ending, profile, samePort }));

  // Three connections in sequence, from new ports at once, or from the same port once no packet is
  // left and the port is free: no data of one connection reaches the next.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "gets a new connection: %s (RFC 9293 3.6.1, RFC 6191)",
    (_, { ending, profile, samePort }) => {
      const last = [{ ...PLAIN, total: 30_000 }, { ...PLAIN, total: 30_000 }] as const;
      const first = [{ ...last[0], ending }, last[1]] as const;
      for (let seed = 1; seed <= 10; seed++) {
        const one = world({
          seed,
          profile,
          tcp: { keepAlive: true },
          wire: { loss: [0, 0.1][seed % 2]!, duplicate: 0.1, reorder: 0.2, reorderMs: 50 },
          client: first[0],
          server: first[1],
          again: [first, last].map((habits) => ({ afterMs: samePort ? 200 : 0, samePort, habits })),
        });
        assertOutcome(one.run());
        const ports = new Set(one.sessions.map(({ client }) => client.tcb.localPort));
        expect(ports.size).toBe(samePort ? 1 : 3);
        expect(one.server).toMatchObject({ received: 30_000, eof: true });
        expect(one.client).toMatchObject({ received: 30_000, eof: true });
      }
    },
  );
});

describe("closing", () => {
  const endings = ["half-close", "close", "abort"] as const;
  const cases = combinations(combinations(endings, endings), PROFILES)
    .map(([[client, server], profile]) => ({ client, server, profile }));

  // Each order of closing, with short and long delays, with and without data and loss.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "leaves nothing behind in any order of closing: %s (RFC 9293 3.6)",
    (_, { client, server, profile }) => {
      for (let seed = 1; seed <= 24; seed++) {
        const one = world({
          seed,
          profile,
          tcp: { keepAlive: true },
          wire: { loss: seed % 3 === 0 ? 0.2 : 0, delayMs: [0, 10][seed % 2]! },
          client: { ending: client, total: [0, 1000, 60_000][seed % 3]!, endPauseMs: seed & 4 },
          server: { ending: server, total: [0, 50_000][seed & 1]!, endPauseMs: (seed & 8) * 5 },
        });
        assertOutcome(one.run());
      }
    },
  );
});

describe("backpressure", () => {
  const cases = combinations(PROFILES, POLICIES);

  // The reader reads one piece and stops. The data accepted from the writer is bounded by both
  // buffers, and that held by the reader's stack by its own; without reads, no more is accepted
  // later.
  test.each(cases)(
    "holds at most the receive buffer, profile %s, acknowledging %s (RFC 9293 3.8.6)",
    (profile, acknowledge) => {
      const [sendBuffer, receiveBuffer] = [50_000, 200_000];
      const one = world({
        profile,
        tcp: { acknowledge, sendBuffer, receiveBuffer },
        client: { total: 10 * MIB, writeMost: 5000 },
        server: { total: 0, readMost: 1000, stallAfter: 1, stallMs: 3_000_000, answers: true },
      });
      const server = () => one.server!;
      for (const until of [10_000, 100_000, 900_000]) {
        one.run(until);
        const taken = one.client.written - server().received;
        expect(taken).toBeLessThanOrEqual(sendBuffer + receiveBuffer + 64);
        expect(server().tcb.receive.readable).toBeLessThanOrEqual(receiveBuffer + 64);
      }
      // Both buffers are full by then, in every acknowledgement mode.
      expect(one.client.written).toBeGreaterThan(receiveBuffer);
      expect(server().tcb.receive.readable).toBeGreaterThan(receiveBuffer - 2 * 1460);
    },
  );

  // The writer is faster than the reader, which reads 1 kB every 10 ms.
  test.each(PROFILES)("a writer that is faster than the peer waits, profile %s", (profile) => {
    const [sendBuffer, receiveBuffer] = [20_000, 20_000];
    const one = world({
      profile,
      tcp: { sendBuffer, receiveBuffer },
      client: { total: 300_000 },
      server: { total: 0, readMost: 1000, readPauseMs: 10, answers: true },
    });
    one.afterStep = () => {
      if (one.server === undefined) return;
      const ahead = one.client.written - one.server.received;
      if (ahead > sendBuffer + receiveBuffer + 64) throw new Error(`${ahead} bytes ahead`);
    };
    expect(assertOutcome(one.run())).toBe("complete");
  });
});
