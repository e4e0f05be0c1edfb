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
  /** In the client's direction alone. */
  fromClient?: Partial<Conditions>;
  client?: Partial<Habits>;
  server?: Partial<Habits>;
  features?: Partial<LinkFeatures>;
  pauses?: Scenario["pauses"];
  again?: Scenario["again"];
}

/** Both sides have the same profile and knobs, both directions the same wire. */
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

  // The client sends and says FIN; the server answers then. The client gets all of it and EOF, and
  // neither side an error.
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

  // What is unread when it stops, what the window then lets through and what waits at the writer all
  // arrive when it goes on, also when the writer has closed long ago.
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

describe("a bad link", () => {
  // Dead for a minute in the middle of a transfer: the retransmission timeout finds the other end.
  test.each(PROFILES)(
    "that is dead for 60 s loses nothing, profile %s (RFC 6298 5.5)",
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

  // Nearly every third packet gets lost.
  test.each(PROFILES)(
    "that loses 30 % carries 1 MiB, profile %s (RFC 6298, RFC 8985)",
    (profile) => {
      for (let seed = 1; seed <= 3; seed++) {
        const one = world({ seed, profile, wire: { loss: 0.3 }, client: { total: MIB } });
        expect(assertOutcome(one.run())).toBe("complete");
      }
    },
  );

  // Half of the packets are late by up to half a round trip and nothing is lost: RACK learns it, and
  // does not take late for lost.
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

  // No time passes on the wire, much is sent at one time, and the reader sleeps. What was sent again
  // is not lost again because something sent before it arrives: else both would never stop.
  test("that has no delay draws no endless retransmissions (RFC 8985 6.2)", () => {
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

  // The server's SYN,ACK is on its way for longer than a half-open connection lives after the first
  // SYN: as the SYN comes again, the server waits on.
  test("that is dead for a minute during the handshake gives a connection (RFC 9293 3.8.3)", () => {
    const tcp = { connectTimeoutMs: 900_000 };
    const one = world({ tcp, wire: { deadFrom: 1005, deadUntil: 62_000 } });
    expect(assertOutcome(one.run())).toBe("complete");
  });

  // The ACK of the SYN,ACK gets lost and the client has nothing to send: it waits for the server,
  // whose application hears of the connection only when the client shows its ACK.
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

describe("a path that becomes narrow", () => {
  const narrow = { from: 1100, until: Infinity, mtu: 1000 };
  const told = combinations(PROFILES, ["mtu", "too-big"] as const);

  // Packets of 9000 bytes have come through; from then on a router drops them and says so. Its
  // messages are enough: nobody waits for a timeout.
  test.each(told)(
    "is learnt of from its router, profile %s, told %s (RFC 1191 6)",
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

  // The same without a word from the router: two sizes are given up, each after some timeouts that
  // are twice as long every time.
  test.each(PROFILES)("without a word is found out, profile %s (RFC 8899 4.2)", (profile) => {
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

  // What is small gets through and is answered: the peer says something after every timeout, but
  // never that it has what is large.
  test.each(PROFILES)(
    "without a word is found out though the peer is heard, profile %s (RFC 8899 4.2)",
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

describe("a host that does nothing for a while", () => {
  const cases = combinations(
    combinations(PROFILES, ["packets", "timers"] as const),
    [0, 1] as const,
  )
    .map(([[profile, first], side]) => ({ profile, first, side }));

  // In the middle of a transfer the sender or the receiver stands still for 20 s. Then everything
  // that has waited happens at once, and what was late is no reason to give up.
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

describe("a client that comes again", () => {
  const endings = ["half-close", "close", "abort"] as const;
  const cases = combinations(combinations(endings, PROFILES), [true, false])
    .map(([[ending, profile], samePort]) => ({ ending, profile, samePort }));

  // Three connections, one after the other, from new ports at once or from the same one when no
  // packet of the wire's is left and the port is free: nothing of one connection reaches the next.
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

  // Each order in which two sides can end, near and far, with and without data and loss.
  test.each(cases.map((one) => [JSON.stringify(one), one] as const))(
    "leaves nothing behind, whoever does what first: %s (RFC 9293 3.6)",
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

  // The reader takes one piece and no more. What the writer gets rid of is bounded by both buffers,
  // and what the reader's stack holds by its own; as nobody reads, nothing more is taken later.
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
      // Both buffers are full by then, whatever is acknowledged when.
      expect(one.client.written).toBeGreaterThan(receiveBuffer);
      expect(server().tcb.receive.readable).toBeGreaterThan(receiveBuffer - 2 * 1460);
    },
  );

  // The writer is faster than the reader, who takes 1 kB every 10 ms.
  test.each(PROFILES)("a writer that outruns the peer waits, profile %s", (profile) => {
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
