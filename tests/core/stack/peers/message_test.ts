import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { DUPLICATE_MS } from "../../../../core/stack/peers/duplicate_numbers.ts";
import { Membership } from "../../../../core/stack/peers/membership.ts";
import {
  MAX_HOPS,
  MAX_MESSAGE_AGE,
  MESSAGE_HEADER,
  Messages,
  type MessagesOptions,
} from "../../../../core/stack/peers/message.ts";

const KEY = new Uint8Array(16).fill(9);
const WALL = 1_796_000_000_000;
const PACKET = Uint8Array.from({ length: 100 }, (_, i) => i);
const ENVELOPE = { to: 1, hops: 1, next: [], segmentSize: 0 };

function messages(self: number, key = KEY, options: MessagesOptions = {}): Messages {
  const membership = new Membership(self, 0);
  membership.setMembers([0, 1, 2]);
  return new Messages(self, key, membership, options);
}

function open(receiver: Messages, bytes: Uint8Array, wall = WALL) {
  return receiver.open(bytes.slice(), bytes.length, 0, wall);
}

describe("Messages", () => {
  // A message is read as it was written, with the sender's state.
  test("carry a packet and what the sender has decided", () => {
    const envelope = { to: 1, hops: 2, next: [2, 7], segmentSize: 1448 };
    const { to, bytes } = messages(0).seal(envelope, PACKET, 100, WALL);
    expect(to).toBe(1);
    expect(bytes.subarray(MESSAGE_HEADER)).toEqual(PACKET);
    expect(open(messages(1), bytes)).toEqual({
      from: 0,
      isServing: true,
      asks: false,
      wasDead: false,
      ...envelope,
    });
  });

  // The authentication covers every bit.
  test("are dropped if any bit was changed", () => {
    const { bytes } = messages(0).seal(ENVELOPE, PACKET, 100, WALL);
    const receiver = messages(1);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = bytes.slice();
      forged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(typeof open(receiver, forged)).toBe("string");
    }
    expect(typeof open(receiver, bytes)).toBe("object");
  });

  // Each fault has a reason of its own.
  test("are dropped by a named reason", () => {
    const seal = (envelope = {}, wall = WALL, self = 0, key = KEY) =>
      messages(self, key).seal({ ...ENVELOPE, ...envelope }, PACKET, 100, wall).bytes;
    const receiver = messages(1);
    expect(open(receiver, new Uint8Array(MESSAGE_HEADER - 1))).toBe("peer-short");
    expect(open(receiver, new Uint8Array(MESSAGE_HEADER))).toBe("peer-version");
    expect(open(receiver, seal({ to: 2 }))).toBe("peer-address");
    expect(open(receiver, seal({}, WALL, 3))).toBe("peer-address");
    expect(open(receiver, seal({}, WALL, 1))).toBe("peer-address");
    expect(open(receiver, seal({ hops: MAX_HOPS + 1 }))).toBe("peer-hops");
    expect(open(receiver, seal({}, WALL - MAX_MESSAGE_AGE - 1))).toBe("peer-age");
    expect(open(receiver, seal({}, WALL + MAX_MESSAGE_AGE + 1))).toBe("peer-age");
    expect(open(receiver, seal({}, WALL, 0, new Uint8Array(16)))).toBe("peer-mac");
    expect(typeof open(receiver, seal())).toBe("object");
  });

  // A message was recorded and is sent again, at once or after the receiver has restarted.
  test("are accepted once", () => {
    const { bytes } = messages(0).seal(ENVELOPE, PACKET, 100, WALL);
    const receiver = messages(1);
    expect(typeof open(receiver, bytes)).toBe("object");
    expect(open(receiver, bytes)).toBe("peer-replay");
    expect(open(messages(1), bytes, WALL + MAX_MESSAGE_AGE + 1)).toBe("peer-age");
  });

  // The new process of an upgrade has died, and the previous process serves again.
  test("are accepted from a process that continues after another one of its instance", () => {
    const [before, after, receiver] = [messages(0), messages(0), messages(1)];
    const send = (from: Messages, wall: number) =>
      typeof open(receiver, from.seal(ENVELOPE, PACKET, 100, wall).bytes, wall);
    expect(send(before, WALL)).toBe("object");
    expect(send(after, WALL + 500)).toBe("object");
    expect(send(before, WALL + 900)).toBe("object");
    expect(send(before, WALL + 901)).toBe("object");
  });

  // Two machines were given the same number. Each sends to the others four times a second.
  test("reveal two processes with the same number, once a minute", () => {
    const reported: [number, number][] = [];
    let now = 0;
    const onDuplicate = (instance: number) => void reported.push([instance, now]);
    const receiver = messages(1, KEY, { onDuplicate });
    const two = [messages(0, KEY, { process: 7 }), messages(0, KEY, { process: 2047 })];
    const other = messages(2, KEY, { process: 5 });
    for (; now < 3 * DUPLICATE_MS; now += 250) {
      for (const sender of [...two, other]) {
        const { bytes } = sender.seal({ ...ENVELOPE, hops: 0 }, PACKET, 0, WALL + now);
        receiver.open(bytes, bytes.length, now, WALL + now);
      }
    }
    expect(reported.map(([instance]) => instance)).toEqual([0, 0, 0]);
    expect(reported[0]![1]).toBeLessThan(1000);
    for (let i = 1; i < 3; i++) {
      expect(reported[i]![1] - reported[i - 1]![1]).toBeGreaterThanOrEqual(DUPLICATE_MS);
    }
  });

  // Restarts every ten seconds, upgrades, and failed upgrades do not look like two processes.
  test("do not take restarts for two processes", () => {
    const reported: number[] = [];
    const receiver = messages(1, KEY, { onDuplicate: (instance) => void reported.push(instance) });
    let sender = messages(0);
    for (let now = 0; now < 200_000; now += 250) {
      if (now % 10_000 === 0) sender = messages(0, KEY, { process: 1 + now % 3 });
      const { bytes } = sender.seal({ ...ENVELOPE, hops: 0 }, PACKET, 0, WALL + now);
      expect(typeof receiver.open(bytes, bytes.length, now, WALL + now)).toBe("object");
    }
    expect(reported).toEqual([]);
  });

  // The machine with the number of this one believes that another instance is here. A forged message, or one of its
  // own that comes back, has no effect.
  test("reveal another process with the receiver's number", () => {
    const reported: number[] = [];
    const onDuplicate = (instance: number) => void reported.push(instance);
    const receiver = messages(1, KEY, { onDuplicate, process: 3 });
    const take = (key: typeof KEY, process: number, now: number) => {
      const { bytes } = messages(1, key, { process }).seal(
        { ...ENVELOPE, to: 0 },
        PACKET,
        100,
        WALL,
      );
      expect(receiver.open(bytes, bytes.length, now, WALL)).toBe("peer-address");
    };
    take(new Uint8Array(16), 4, 0);
    take(KEY, 3, 1000);
    expect(reported).toEqual([]);
    take(KEY, 4, 2000);
    take(KEY, 4, 3000);
    expect(reported).toEqual([1]);
  });

  // After a restart, the numbers of a sender start at its clock.
  test("are accepted after the sender has restarted", () => {
    const receiver = messages(1);
    const before = messages(0);
    for (let i = 0; i < 2000; i++) {
      expect(typeof open(receiver, before.seal(ENVELOPE, PACKET, 100, WALL).bytes)).toBe("object");
    }
    const { bytes } = messages(0).seal(ENVELOPE, PACKET, 100, WALL + 1000);
    expect(typeof open(receiver, bytes, WALL + 1000)).toBe("object");
  });

  // 100,000 forged datagrams of any length, one half with a plausible header: none passes, none throws.
  test("withstand a flood of forged datagrams", () => {
    const random = seededRandom(7);
    const receiver = messages(1);
    const genuine = messages(0).seal(ENVELOPE, PACKET, 100, WALL).bytes;
    const reasons = new Map<string, number>();
    for (let i = 0; i < 100_000; i++) {
      const bytes = new Uint8Array(random.uint32() % 200);
      random.fill(bytes);
      if (i % 2 === 0) bytes.set(genuine.subarray(0, Math.min(24, bytes.length)));
      const opened = open(receiver, bytes);
      expect(typeof opened).toBe("string");
      reasons.set(opened as string, (reasons.get(opened as string) ?? 0) + 1);
    }
    expect(reasons.get("peer-mac")).toBeGreaterThan(30_000);
    expect(typeof open(receiver, genuine)).toBe("object");
  });
});
