import { describe, expect, test } from "bun:test";
import { SharedLimit, type Slot } from "../../../plugins/shared/shared_limit.ts";
import { codeOf } from "../../support/conversation.ts";
import { socketPair } from "../../support/fake_socket.ts";

/** A limit of `limit`, and the evicted entries in order. */
function setUp(limit: number) {
  const shared = new SharedLimit(limit);
  const evicted: string[] = [];
  const enter = (hostname: string, name: string, givesWay = false): Slot | undefined =>
    shared.enter(hostname, () => evicted.push(name), { givesWay });
  return { shared, evicted, enter };
}

const ATTACKER = "203.0.113.9";

describe("SharedLimit", () => {
  // One client holds all eight slots when another arrives.
  test("evicts the oldest entry of the client with the most", () => {
    const { shared, evicted, enter } = setUp(8);
    for (let i = 0; i < 8; i++) enter(ATTACKER, `attacker ${i}`);
    expect(enter("192.0.2.1", "other 0")).toBeDefined();
    expect(enter("192.0.2.1", "other 1")).toBeDefined();
    expect(evicted).toEqual(["attacker 0", "attacker 1"]);
    expect(shared.size).toBe(8);
  });

  // However often the attacker tries again, it takes no slot of another client.
  test("refuses the client that has the most", () => {
    const { evicted, enter } = setUp(8);
    enter("192.0.2.1", "other");
    for (let i = 0; i < 20; i++) enter(ATTACKER, `attacker ${i}`);
    expect(enter(ATTACKER, "one more")).toBeUndefined();
    expect(evicted).toEqual([]);
  });

  // Two clients that want all the slots end with half each, and then stop evicting each other.
  test("divides the slots evenly", () => {
    const { evicted, enter } = setUp(8);
    for (let i = 0; i < 8; i++) enter("192.0.2.1", "first");
    for (let i = 0; i < 20; i++) enter("192.0.2.2", "second");
    for (let i = 0; i < 20; i++) enter("192.0.2.1", "first");
    expect(evicted.length).toBeLessThanOrEqual(4);
    expect(evicted.every((name) => name === "first")).toBe(true);
  });

  // The addresses of one IPv6 customer are one client.
  test("counts an IPv6 /64 as one client", () => {
    const { evicted, enter } = setUp(4);
    for (let i = 1; i <= 4; i++) enter(`2001:db8::${i}`, `attacker ${i}`);
    expect(enter("2001:db8::5", "attacker 5")).toBeUndefined();
    expect(enter("2001:db8:1::1", "other")).toBeDefined();
    expect(evicted).toEqual(["attacker 1"]);
  });

  // Each client has one connection: established connections stay.
  test("refuses newcomers when no client has more than one", () => {
    const { evicted, enter } = setUp(300);
    for (let i = 0; i < 300; i++) enter(`10.0.${i >> 8}.${i & 255}`, `${i}`);
    expect(enter("192.0.2.1", "late")).toBeUndefined();
    expect(evicted).toEqual([]);
  });

  // Datagrams from forged addresses, one each: the flow in use survives.
  test("evicts the longest unused flow when no client has more than one", () => {
    const { evicted, enter } = setUp(300);
    const used = enter("192.0.2.1", "used", true)!;
    for (let i = 0; i < 299; i++) enter(`10.0.${i >> 8}.${i & 255}`, `${i}`, true);
    used.touch();
    for (let i = 0; i < 200; i++) enter(`10.1.${i >> 8}.${i & 255}`, "late", true);
    expect(evicted).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
    // A connection gets a slot too.
    expect(enter("192.0.2.2", "connection")).toBeDefined();
  });

  // A resolver behind one address: its next flow replaces its longest unused one.
  test("evicts one of the client's own flows", () => {
    const { evicted, enter } = setUp(4);
    const used = enter("192.0.2.1", "a", true)!;
    for (const name of ["b", "c", "d"]) enter("192.0.2.1", name, true);
    used.touch();
    enter("192.0.2.1", "e", true);
    enter("192.0.2.1", "f", true);
    expect(evicted).toEqual(["b", "c"]);
  });

  // Forged SYNs, one for each address: the oldest makes room, but not the connection whose client has
  // completed the handshake.
  test("first evicts entries that currently give way", () => {
    const { evicted, enter } = setUp(300);
    const attempt = enter("192.0.2.1", "connection")!;
    attempt.setGivesWay(true);
    attempt.setGivesWay(false);
    for (let i = 0; i < 310; i++) enter(`10.0.${i >> 8}.${i & 255}`, `forged ${i}`, true);
    expect(enter("192.0.2.2", "late", true)).toBeDefined();
    expect(evicted).toEqual(Array.from({ length: 12 }, (_, i) => `forged ${i}`));
  });

  // Two plugins with room for many share four sockets of the host. The client that has all four through
  // one plugin loses one, also its slot there, when another comes through the other plugin.
  test("counts a slot for several limits", () => {
    const also = [new SharedLimit(4)];
    const [one, other] = [new SharedLimit(100), new SharedLimit(100)];
    const evicted: number[] = [];
    const slots = [0, 1, 2, 3].map((i) => one.enter(ATTACKER, () => evicted.push(i), { also })!);
    expect(one.admits(ATTACKER, { also })).toBe(false);
    expect(one.enter(ATTACKER, () => {}, { also })).toBeUndefined();
    expect(other.enter("192.0.2.1", () => {}, { also })).toBeDefined();
    expect(evicted).toEqual([0]);
    expect([one.size, other.size, also[0]!.size]).toEqual([3, 1, 4]);
    for (const slot of slots) slot.leave();
    expect([one.size, other.size, also[0]!.size]).toEqual([0, 1, 1]);
  });

  // The first limit has room, the second has none: nothing is taken from either.
  test("takes no slot unless all limits have one", () => {
    const also = [new SharedLimit(1)];
    const limit = new SharedLimit(2);
    limit.enter("192.0.2.1", () => {}, { also });
    expect(limit.enter("192.0.2.2", () => {}, { also })).toBeUndefined();
    expect([limit.size, also[0]!.size]).toEqual([1, 1]);
  });

  // Released twice, or released after an eviction: each slot is freed once.
  test("frees a slot once", () => {
    const { shared, enter } = setUp(4);
    const slots = [1, 2, 3, 4].map(() => enter(ATTACKER, "attacker")!);
    enter("192.0.2.1", "other");
    for (const slot of [...slots, ...slots]) slot.leave();
    expect(shared.size).toBe(1);
  });

  // The oldest is connected, the next is still being dialled: both are aborted.
  test("aborts evicted connections and connection attempts", async () => {
    const limit = new SharedLimit(4);
    const signal = new AbortController().signal;
    const { client } = socketPair();
    await limit.connect(ATTACKER, signal, () => Promise.resolve(client));
    const attempts = [1, 2, 3].map(() =>
      limit.connect(
        ATTACKER,
        signal,
        (within) =>
          new Promise((_, reject) => within.addEventListener("abort", () => reject(within.reason))),
      )
    );
    await limit.connect("192.0.2.1", signal, () => Promise.resolve(socketPair().client));
    expect(await codeOf(client.closed)).toBe("CONNECTION_ABORTED");
    await limit.connect("192.0.2.1", signal, () => Promise.resolve(socketPair().client));
    expect(await codeOf(attempts[0]!)).toBe("INSUFFICIENT_RESOURCES");
    expect(await codeOf(limit.connect("192.0.2.1", signal, () => Promise.resolve(client))))
      .toBe("CONNECTION_REFUSED");
    expect(limit.size).toBe(4);
  });
});
