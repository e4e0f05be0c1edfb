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
    }
  }
});
