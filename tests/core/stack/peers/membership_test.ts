import { describe, expect, test } from "bun:test";
import {
  DEAD_MS,
  JOIN_MS,
  Membership,
  SILENT_MS,
} from "../../../../core/stack/peers/membership.ts";

/** 32-bit values without a pattern. */
const HASHES = Array.from({ length: 3000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) | 0);

/** Instance 0, which has heard from `members` at 0. */
function membership(members: readonly number[], self = 0): Membership {
  const made = new Membership(self, 0);
  made.setMembers(members);
  for (const member of members) if (member !== self) made.heard(member, true, 0);
  return made;
}

describe("Membership", () => {
  // All instances agree, and each gets its share.
  test("distributes new connections evenly", () => {
    const counts = [0, 0, 0, 0];
    const one = membership([0, 1, 2, 3]);
    const other = membership([0, 1, 2, 3], 2);
    for (const hash of HASHES) {
      const instance = one.instanceForNew(hash, 100)!;
      expect(other.instanceForNew(hash, 100)).toBe(instance);
      counts[instance]!++;
    }
    for (const count of counts) expect(Math.abs(count / 750 - 1)).toBeLessThan(0.15);
  });

  // Rendezvous hashing: a fifth moves, all of it to the new member.
  test("moves only connections that go to a new member", () => {
    const before = membership([0, 1, 2, 3]);
    const after = membership([0, 1, 2, 3, 4]);
    const moved = HASHES.filter((hash) =>
      before.instanceForNew(hash, 0) !== after.instanceForNew(hash, 0)
    );
    expect(Math.abs(moved.length / 600 - 1)).toBeLessThan(0.15);
    expect(moved.every((hash) => after.instanceForNew(hash, 0) === 4)).toBe(true);
  });

  // A draining instance keeps its connections; segments are not handed to a dead one.
  test("asks draining members, not dead ones", () => {
    const members = membership([0, 1, 2]);
    members.heard(1, false, 100);
    for (const hash of HASHES.slice(0, 200)) {
      expect(members.instanceForNew(hash, 200)).not.toBe(1);
    }
    expect(HASHES.some((hash) => members.candidates(hash, 200).includes(1))).toBe(true);
    const later = 100 + DEAD_MS;
    members.heard(2, true, later);
    members.refused(1);
    expect(members.isReachable(1, later)).toBe(false);
    expect(HASHES.some((hash) => members.candidates(hash, later).includes(1))).toBe(false);
  });

  // The process is not scheduled, but its host accepts its messages. During that time, new connections go to other
  // instances.
  test("keeps the connections of a member that is only silent", () => {
    const members = membership([0, 1, 2]);
    const stalled = SILENT_MS - 1;
    members.heard(2, true, stalled);
    expect(members.isReachable(1, stalled)).toBe(true);
    for (const hash of HASHES.slice(0, 200)) {
      expect(members.instanceForNew(hash, stalled)).not.toBe(1);
    }
    expect(HASHES.some((hash) => members.candidates(hash, stalled).includes(1))).toBe(true);
    expect(members.isReachable(1, SILENT_MS)).toBe(false);
  });

  // The host of a member refuses a message, but the member answers afterwards, such as after a restart.
  test("does not give up a member that sends a message after a refusal", () => {
    const members = membership([0, 1, 2]);
    members.refused(1);
    expect(members.isReachable(1, DEAD_MS - 1)).toBe(true);
    expect(members.isReachable(1, DEAD_MS)).toBe(false);
    members.heard(1, true, DEAD_MS);
    expect(members.isReachable(1, 2 * DEAD_MS)).toBe(true);
    members.refused(99);
  });

  // The connections of the previous epoch are still found, also where two members were added at once.
  test("asks the instance of the previous epoch", () => {
    const members = membership([0, 1, 2]);
    const instances = HASHES.map((hash) => members.instanceForNew(hash, 0));
    members.setMembers([0, 1, 2, 3, 4]);
    for (const member of [3, 4]) members.heard(member, true, 0);
    for (const [i, hash] of HASHES.entries()) {
      const asked = [0, ...members.candidates(hash, 0).slice(0, 3)];
      expect(asked).toContain(instances[i]!);
    }
  });

  // The member was removed from the configuration while it drains.
  test("accepts messages of a member that was removed, for one epoch", () => {
    const members = membership([0, 1, 2]);
    members.setMembers([0, 2]);
    expect(members.others()).toEqual([2, 1]);
    expect(members.isOther(1)).toBe(true);
    members.setMembers([0, 2]);
    expect(members.isOther(1)).toBe(true);
    members.setMembers([0, 2, 3]);
    expect(members.isOther(1)).toBe(false);
  });

  // An instance that has just started asks the instances that owned the connections before it joined.
  test("asks the others at the start", () => {
    const [before, started] = [membership([1, 2, 3], 1), new Membership(0, 0)];
    started.setMembers([0, 1, 2, 3]);
    for (const hash of HASHES) {
      expect(started.candidates(hash, 10)[0]).toBe(before.instanceForNew(hash, 10)!);
    }
  });

  // The instance knows no earlier epoch. The instance of a connection drains, and a member was added before.
  test("finds a connection of an instance that drains without a memory of earlier epochs", () => {
    const earlier = membership([0, 1, 2], 2);
    const now = membership([0, 1, 2, 3], 2);
    now.continueAt(0);
    now.heard(0, false, 0);
    for (const hash of HASHES) {
      if (earlier.instanceForNew(hash, 0) !== 0) continue;
      expect(now.candidates(hash, 0).slice(0, 3)).toContain(0);
    }
    expect(now.hasJoined(0)).toBe(true);
  });

  // A member reports to the members in its list.
  test("has joined when all others have been heard from", () => {
    const started = new Membership(0, 0);
    expect(started.hasJoined(1)).toBe(true);
    started.setMembers([0, 1, 2]);
    started.heard(1, true, 5);
    expect(started.hasJoined(JOIN_MS - 1)).toBe(false);
    expect(started.hasJoined(JOIN_MS)).toBe(true);
    started.heard(2, true, 10);
    expect(started.hasJoined(11)).toBe(true);
  });

  // At the start no member has been heard from, but segments of their connections may arrive.
  test("asks members that have not been heard yet, but gives them no connections", () => {
    const members = new Membership(0, 1000);
    members.setMembers([0, 1, 2]);
    expect(HASHES.every((hash) => members.instanceForNew(hash, 1001) === 0)).toBe(true);
    expect(members.isReachable(1, 1001)).toBe(true);
    expect(members.isReachable(1, 1000 + SILENT_MS)).toBe(false);
    members.isServing = false;
    expect(members.instanceForNew(1, 1001)).toBeUndefined();
  });
});
