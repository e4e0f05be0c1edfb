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

        // The backlog fills and stays full; whoever exists gets in with a cookie and is served, and
        // what the stack holds does not grow with the flood.
        test(`do not keep legitimate connections out, ${what} (RFC 4987 3.6)`, () => {
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
          // Nothing of it is left.
          expect([flood.server.tcp.connectionCount, flood.server.tcp.timerCount]).toEqual([0, 0]);
        });
      }

      // No cookie can bring a decision back: the oldest that was answered makes room. It has had
      // 4096 / 100 ms to come back, twice what the client's way takes.
      test(`nor where each is decided about, IPv${version}, profile ${profile} (RFC 4987 3.4)`, () => {
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
        // Nobody had to send a SYN again, which takes a second.
        flood.rest(500);
        expect(flood).toMatchObject({ attempts: CLIENTS, served: CLIENTS, failed: 0 });
        flood.rest(200_000);
        expect(flood.listener.sources?.count).toBe(0);
        expect([flood.server.tcp.connectionCount, flood.server.tcp.timerCount]).toEqual([0, 0]);
      });
    }
  }

  // Whoever comes is decided about at once, in place of the oldest of whom nobody has heard.
  test("nor where nothing is decided", () => {
    const options = { version: 4, profile: "local", decides: "never" } as const;
    const flood = new Flood({ ...options, backlog: BACKLOG, synsPerMs: PER_MS });
    for (let i = 0; i < 100 * BACKLOG; i++) flood.spoof();
    expect(flood.listener.halfOpen.size).toBe(BACKLOG);
    expect(flood.listener.undecided.length).toBeLessThanOrEqual(2 * BACKLOG);
    expect(flood.server.stats.halfOpenEvicted).toBe(99 * BACKLOG);
    expect(flood.server.stats.dropped("tcp-backlog")).toBe(0);
  });
});
