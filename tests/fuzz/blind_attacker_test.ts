import { describe, expect, test } from "bun:test";
import { PLAIN } from "../sim/application.ts";
import { assertOutcome } from "../sim/outcome.ts";
import { QUIET } from "../sim/scenario.ts";
import { PERFECT } from "../sim/wire.ts";
import { World } from "../sim/world.ts";
import { BlindAttacker } from "./blind_attacker.ts";

const SEEDS = 20;
const TOTAL = 100_000;
const INTERVAL_MS = 0.7;

/** Both sides send to each other while an attacker sends to both. */
function worldUnderAttack(seed: number, version: 4 | 6, profile: "local" | "internet"): World {
  const wire = { ...PERFECT, delayMs: 5, bytesPerMs: 1000, loss: seed % 2 === 0 ? 0.02 : 0 };
  const habits = { ...PLAIN, total: TOTAL };
  const world = new World({
    ...QUIET,
    seed,
    version,
    profiles: [profile, profile],
    conditions: [wire, wire],
    habits: [habits, habits],
  }).start();
  const attacker = new BlindAttacker(seed);
  const attack = () => {
    for (const { core } of world.sides) {
      for (const tcb of core.tcp.connections()) {
        // RFC 5961 applies after the handshake.
        if (tcb.state !== "SYN-SENT" && tcb.state !== "SYN-RECEIVED") {
          attacker.attack(core, tcb, world.now);
        }
      }
    }
    if (world.client.ended === undefined) world.wakeIn(INTERVAL_MS, attack);
  };
  world.wakeIn(INTERVAL_MS, attack);
  return world;
}

describe("a connection under attack from off the path", () => {
  for (const version of [4, 6] as const) {
    for (const profile of ["local", "internet"] as const) {
      // RST, SYN, FIN, text and ICMP errors with guessed numbers, several per round trip.
      test(`delivers everything, IPv${version}, profile ${profile} (RFC 5961, RFC 5927)`, () => {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const world = worldUnderAttack(seed, version, profile).run();
          expect([seed, assertOutcome(world)]).toEqual([seed, "complete"]);
        }
      });
    }
  }
});
