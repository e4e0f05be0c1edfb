import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import {
  KEY_MS,
  MAX_KEYS,
  MAX_SESSIONS,
  SESSION_IDLE_MS,
  Sessions,
} from "../../../../adapters/service/dashboard/sessions.ts";

function sessionsAtTime(): { clock: VirtualClock; sessions: Sessions } {
  const clock = new VirtualClock();
  return { clock, sessions: new Sessions(clock, seededRandom(1)) };
}

describe("keys of Sessions", () => {
  // A URL with a used key may be found in a history.
  test("can be used once, within two minutes", async () => {
    const { clock, sessions } = sessionsAtTime();
    const [first, late] = [sessions.issueKey(), sessions.issueKey()];
    expect(first).toMatch(/^[\w-]{32}$/);
    expect(late).not.toBe(first);
    expect([sessions.useKey(first), sessions.useKey(first), sessions.useKey("")])
      .toEqual([true, false, false]);
    await clock.advance(KEY_MS + 1);
    expect(sessions.useKey(late)).toBe(false);
  });

  test("are bounded: the oldest is forgotten", () => {
    const { sessions } = sessionsAtTime();
    const keys = Array.from({ length: MAX_KEYS + 1 }, () => sessions.issueKey());
    expect(sessions.useKey(keys[0]!)).toBe(false);
    expect(keys.slice(1).every((key) => sessions.useKey(key))).toBe(true);
  });
});

describe("sessions", () => {
  // Each request prolongs a session; using a key does not.
  test("end when they are idle or signed out", async () => {
    const { clock, sessions } = sessionsAtTime();
    const [kept, idle, ended] = [sessions.start(), sessions.start(), sessions.start()];
    expect(sessions.renew(sessions.issueKey())).toBe(false);
    sessions.end(ended);
    expect(sessions.renew(ended)).toBe(false);
    await clock.advance(SESSION_IDLE_MS - 1);
    expect(sessions.renew(kept)).toBe(true);
    await clock.advance(2);
    expect([sessions.renew(kept), sessions.renew(idle)]).toEqual([true, false]);
  });

  test("are bounded: the one that was idle longest ends", () => {
    const { sessions } = sessionsAtTime();
    const [first, second] = [sessions.start(), sessions.start()];
    sessions.renew(first);
    for (let i = 2; i <= MAX_SESSIONS; i++) sessions.start();
    expect([sessions.renew(first), sessions.renew(second)]).toEqual([true, false]);
  });

  // In an upgrade, the clock of the new process starts at another time, but sessions keep their remaining time and
  // their bound. With another token no session is taken over, because a new token is meant to make the pages sign in
  // again.
  test("continue in the process that takes over, with the same token", async () => {
    const { clock, sessions } = sessionsAtTime();
    const first = sessions.start();
    await clock.advance(SESSION_IDLE_MS / 2);
    const second = sessions.start();
    const handed = JSON.parse(JSON.stringify(sessions.handOver("a token")));
    expect(JSON.stringify(handed)).not.toContain("a token");
    const later = new VirtualClock(1e9);
    const next = new Sessions(later, seededRandom(2));
    next.takeOver(handed, "another token");
    expect([next.renew(first), next.renew(second)]).toEqual([false, false]);
    next.takeOver(handed, "a token");
    await later.advance(SESSION_IDLE_MS / 2 + 1);
    expect([next.renew(first), next.renew(second)]).toEqual([false, true]);
    for (let i = 0; i < MAX_SESSIONS; i++) sessions.start();
    next.takeOver(sessions.handOver("a token"), "a token");
    expect(next.handOver("a token").sessions.length).toBe(MAX_SESSIONS);
  });
});
