import { describe, expect, test } from "bun:test";
import { Flood } from "./flood.ts";

const BACKLOG = 128;
const PER_MS = 100;
const CLIENTS = 20;

describe("100,000 spoofed SYNs a second", () => {
  for (const version of [4, 6] as const) {
    for (const profile of ["local", "internet"] as const) {
      for (const offload of [false, true]) {
        const ms = version === 4 && !offload ? 1000 : 200;
        const what = `IPv${version}, profile ${profile}${offload ? ", checksum offload" : ""}`;

        // The backlog stays full; honest clients get in with a SYN cookie and are served, and
        // memory does not grow with the flood.
        test(`do not block legitimate connections, ${what} (RFC 4987 3.6)`, () => {
          const flood = new Flood({
            version,
            profile,
            offload,
            backlog: BACKLOG,
            synsPerMs: PER_MS,
          });
          flood.run(ms, ms / CLIENTS);
          expect(flood.listener.halfOpen.size).toBe(BACKLOG);
          expect(flood.mostConnections).toBeLessThanOrEqual(BACKLOG + CLIENTS);
          expect(flood.mostTimers).toBeLessThanOrEqual(BACKLOG + CLIENTS);
          flood.rest(120_000);
          expect(flood).toMatchObject({ attempts: CLIENTS, served: CLIENTS, failed: 0 });
          const { synCookiesSent, synCookiesReturned } = flood.server.stats;
          expect(synCookiesSent).toBeGreaterThanOrEqual(ms * PER_MS - BACKLOG);
          expect(synCookiesReturned).toBeGreaterThanOrEqual(CLIENTS - 1);
          // No connection is left.
          expect([flood.server.tcp.connectionCount, flood.server.tcp.timerCount]).toEqual([0, 0]);
        });
      }

      // SYN cookies cannot be used with decisions: the oldest answered attempt is evicted. It had
      // 4096 / 100 ms for its ACK, twice the client's RTT.
      test(`nor if each SYN is decided, IPv${version}, profile ${profile} (RFC 4987 3.4)`, () => {
        const backlog = 4096;
        const flood = new Flood({
          version,
          profile,
          backlog,
          synsPerMs: PER_MS,
          decides: "at once",
        });
        flood.run(200, 200 / CLIENTS);
        expect(flood.listener.halfOpen.size).toBe(backlog);
        expect(flood.mostConnections).toBeLessThanOrEqual(backlog + CLIENTS);
        expect(flood.server.stats.halfOpenEvicted).toBeGreaterThan(
          200 * PER_MS - backlog - CLIENTS,
        );
        // No client had to retransmit its SYN, which takes a second.
        flood.rest(500);
        expect(flood).toMatchObject({ attempts: CLIENTS, served: CLIENTS, failed: 0 });
        flood.rest(200_000);
        expect(flood.listener.sources?.count).toBe(0);
        expect([flood.server.tcp.connectionCount, flood.server.tcp.timerCount]).toEqual([0, 0]);
      });
    }
  }

  // Each new SYN is decided at once, and evicts the oldest unanswered attempt.
  test("nor if no decision is made", () => {
    const options = { version: 4, profile: "local", decides: "never" } as const;
    const flood = new Flood({ ...options, backlog: BACKLOG, synsPerMs: PER_MS });
    for (let i = 0; i < 100 * BACKLOG; i++) flood.spoof();
    expect(flood.listener.halfOpen.size).toBe(BACKLOG);
    expect(flood.listener.undecided.length).toBeLessThanOrEqual(2 * BACKLOG);
    expect(flood.server.stats.halfOpenEvicted).toBe(99 * BACKLOG);
    expect(flood.server.stats.dropped("tcp-backlog")).toBe(0);
  });
});
