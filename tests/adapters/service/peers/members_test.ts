import { describe, expect, test } from "bun:test";
import {
  findMembers,
  type NameSource,
  usesDns,
} from "../../../../adapters/service/peers/members.ts";

/** Names that resolve as given. */
function names(addresses: Record<string, string>, targets: readonly string[] = []): NameSource {
  return {
    address: (name) =>
      addresses[name] === undefined
        ? Promise.reject(new Error(`ENOTFOUND ${name}`))
        : Promise.resolve(addresses[name]),
    targets: (name) =>
      name === "_peers._udp.berth.example"
        ? Promise.resolve(targets.map((target) => ({ name: target, port: 7946 })))
        : Promise.reject(new Error(`ENOTFOUND ${name}`)),
  };
}

const NONE = new Map();

describe("findMembers", () => {
  // Addresses need no DNS.
  test("takes addresses as they are", async () => {
    const members = {
      "0": { hostname: "192.0.2.1", port: 1 },
      "7": { hostname: "fd00::1", port: 2 },
    };
    expect(usesDns(members)).toBe(false);
    expect(await findMembers(members, NONE, names({}))).toEqual(
      new Map([[0, members["0"]], [7, members["7"]]]),
    );
  });

  // A name may get another address; one that does not resolve keeps the last.
  test("resolves names, and keeps the address of one that cannot be resolved", async () => {
    const members = {
      "1": { hostname: "one.example", port: 9 },
      "2": { hostname: "two", port: 9 },
    };
    expect(usesDns(members)).toBe(true);
    const before = await findMembers(members, NONE, names({ "one.example": "192.0.2.1" }));
    expect(before).toEqual(new Map([[1, { hostname: "192.0.2.1", port: 9 }]]));
    const after = await findMembers(members, before, names({ two: "fd00::2" }));
    expect(after.get(1)!.hostname).toBe("192.0.2.1");
    expect(after.get(2)!.hostname).toBe("fd00::2");
  });

  // The pods of a stateful set have such names.
  test("takes the numbers of an SRV record's targets", async () => {
    const source = names(
      { "berth-0.berth.example": "192.0.2.1", "berth-12.berth.example": "192.0.2.2" },
      ["berth-0.berth.example", "berth-12.berth.example", "other.example", "berth-64.example"],
    );
    expect(await findMembers("_peers._udp.berth.example", NONE, source)).toEqual(
      new Map([
        [0, { hostname: "192.0.2.1", port: 7946 }],
        [12, { hostname: "192.0.2.2", port: 7946 }],
      ]),
    );
    await expect(findMembers("other", NONE, source)).rejects.toThrow("ENOTFOUND other");
  });

  // A wrong or forged answer must not cause a flood of queries; there are at most 64 instances.
  test("looks up at most one target for each number", async () => {
    const targets = Array.from({ length: 10_000 }, (_, i) => `berth${i >> 7}-${i & 127}.example`);
    const asked: string[] = [];
    const source: NameSource = {
      ...names({}, targets),
      address: (name) => Promise.resolve(`192.0.2.${asked.push(name)}`),
    };
    const found = await findMembers("_peers._udp.berth.example", NONE, source);
    expect([found.size, asked.length]).toEqual([64, 64]);
  });
});
