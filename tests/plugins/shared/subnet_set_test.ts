import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { networkKey, SubnetSet, subnetSetSchema } from "../../../plugins/shared/subnet_set.ts";

const setOf = (...texts: string[]) => new SubnetSet(texts.map((text) => Subnet.parse(text)!));

describe("SubnetSet", () => {
  // Single hosts, networks with and without host bits, both families.
  test.each([
    ["10.1.2.3", true],
    ["10.255.0.1", true],
    ["11.0.0.1", false],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["fd00:1::5", true],
    ["fd00:2::5", false],
    ["::1", true],
    ["not an address", false],
  ])("%s: %j", (hostname: string, expected: boolean) => {
    const set = setOf("10.9.9.9/8", "192.0.2.7", "fd00:1::/32", "::1/128");
    expect(set.has(hostname)).toBe(expected);
  });

  // All addresses of one family include none of the other.
  test("keeps the families apart", () => {
    expect([setOf("0.0.0.0/0").has("9.9.9.9"), setOf("0.0.0.0/0").has("fd00::1")])
      .toEqual([true, false]);
    expect([setOf("::/0").has("9.9.9.9"), setOf("::/0").has("fd00::1")]).toEqual([false, true]);
  });

  // The same answer as testing each subnet in turn.
  test("agrees with Subnet.contains", () => {
    const random = seededRandom(7);
    const small = () => `10.${random.uint32() % 4}.${random.uint32() % 4}.${random.uint32() % 4}`;
    for (let round = 0; round < 200; round++) {
      const subnets = Array.from(
        { length: 3 },
        () => Subnet.parse(`${small()}/${random.uint32() % 33}`)!,
      );
      const address = small();
      const expected = subnets.some((subnet) => subnet.contains(Subnet.parse(address)!.address));
      expect(new SubnetSet(subnets).has(address)).toBe(expected);
    }
  });
});

describe("subnetSetSchema", () => {
  // An empty list would silently admit no address, or every address.
  test("refuses an empty list and an invalid subnet", () => {
    expect(subnetSetSchema.safeParse([]).success).toBe(false);
    expect(subnetSetSchema.safeParse(["10.0.0.0/33"]).success).toBe(false);
    expect(subnetSetSchema.safeParse(["10.0.0.0/8"]).data?.has("10.0.0.1")).toBe(true);
  });
});

describe("networkKey", () => {
  // All addresses of one customer count as one client.
  test("is the same for all addresses of a network", () => {
    const lengths = { v4Prefix: 24, v6Prefix: 64 };
    const key = (hostname: string) => networkKey(hostname, lengths);
    expect(key("10.0.0.1")).toBe(key("10.0.0.200"));
    expect(key("10.0.0.1")).not.toBe(key("10.0.1.1"));
    expect(key("fd00::1")).toBe(key("fd00::ffff:1"));
    expect(key("fd00::1")).not.toBe(key("fd00:0:0:1::1"));
    expect(networkKey("10.0.0.1", { v4Prefix: 0, v6Prefix: 0 })).not.toBe("10.0.0.1");
  });
});
