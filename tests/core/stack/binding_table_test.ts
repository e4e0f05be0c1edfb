import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { type Binding, BindingTable } from "../../../core/stack/binding_table.ts";
import { IpAddress } from "../../../core/wire/address.ts";

function find(places: BindingTable<string>, address: string, port: number): string | undefined {
  const { w0, w1, w2, w3 } = IpAddress.parse(address)!;
  return places.find(w0, w1, w2, w3, port);
}

/** Bindings that match 10.90.7.2 port 8080, the most specific first. */
const BY_SPECIFICITY = [
  "10.90.7.2:8080",
  "10.90.7.2:8000-8999",
  "10.90.7.2:*",
  "10.90.7.0/24:8080",
  "10.90.7.0/24:*",
  "10.90.0.0/16:8080",
  "10.90.0.0/16:8080-8081",
  "0.0.0.0/0:8080",
  "8080",
  "8080-8081",
  "8000-8999",
  "*",
];

function shuffled(random: { uint32(): number }): string[] {
  const left = [...BY_SPECIFICITY];
  const order: string[] = [];
  while (left.length > 0) order.push(...left.splice(random.uint32() % left.length, 1));
  return order;
}

describe("BindingTable", () => {
  // Prefix length counts before port range, independent of the order of insertion. When the best
  // match is removed, the next one matches.
  test("finds the most specific binding", () => {
    const random = seededRandom(3);
    for (let round = 0; round < 20; round++) {
      const places = new BindingTable<string>();
      for (const text of shuffled(random)) {
        expect(places.add(parseListenAddress(text), text)).toBe(true);
      }
      expect(places.values().toSorted()).toEqual(BY_SPECIFICITY.toSorted());
      for (const text of BY_SPECIFICITY) {
        expect(find(places, "10.90.7.2", 8080)).toBe(text);
        places.remove(parseListenAddress(text));
      }
      expect(find(places, "10.90.7.2", 8080)).toBe(undefined);
      expect(places.values()).toEqual([]);
    }
  });

  // The first and last address and port match, their neighbors do not.
  test("matches up to the limits of the binding", () => {
    const places = new BindingTable<string>();
    places.add(parseListenAddress("10.90.7.0/24:8000-8999"), "range");
    places.add(parseListenAddress("[fd00::/64]:7"), "v6");
    for (const address of ["10.90.7.0", "10.90.7.255"]) {
      for (const port of [8000, 8999]) expect(find(places, address, port)).toBe("range");
      for (const port of [7999, 9000]) expect(find(places, address, port)).toBe(undefined);
    }
    for (const address of ["10.90.6.255", "10.90.8.0", "fd00::1"]) {
      expect(find(places, address, 8000)).toBe(undefined);
    }
    expect(find(places, "fd00::ffff:ffff:ffff:ffff", 7)).toBe("v6");
    expect(find(places, "fd00:0:0:1::", 7)).toBe(undefined);
  });

  // A binding with a subnet matches one family; a binding without one matches both.
  test("keeps the families apart", () => {
    const places = new BindingTable<string>();
    places.add(parseListenAddress("0.0.0.0:7"), "v4");
    places.add(parseListenAddress("[::]:7"), "v6");
    places.add(parseListenAddress("*"), "both");
    expect(find(places, "1.2.3.4", 7)).toBe("v4");
    expect(find(places, "::1.2.3.4", 7)).toBe("v6");
    expect(find(places, "1.2.3.4", 8)).toBe("both");
    expect(find(places, "fd00::1", 8)).toBe("both");
  });

  // Different spellings of a subnet are the same binding.
  test("refuses a second identical binding", () => {
    const places = new BindingTable<string>();
    const twice = ["80", "8000-8999", "10.0.0.1:80", "10.0.0.0/24:1-2"];
    for (const text of twice) expect(places.add(parseListenAddress(text), text)).toBe(true);
    for (const text of twice) expect(places.add(parseListenAddress(text), text)).toBe(false);
    expect(places.add(parseListenAddress("10.0.0.1/32:80"), "again")).toBe(false);
    expect(places.values().length).toBe(twice.length);
    expect([places.hasPort(80), places.hasPort(8000)]).toEqual([true, false]);
    const other: Binding = { subnet: undefined, firstPort: 8000, lastPort: 8998 };
    places.remove(other);
    expect(find(places, "10.0.0.9", 8999)).toBe("8000-8999");
  });

  // Neither range is narrower, so the earlier one wins.
  test("prefers the earlier one of two ranges of the same width", () => {
    const places = new BindingTable<string>();
    places.add(parseListenAddress("10-19"), "first");
    places.add(parseListenAddress("15-24"), "second");
    expect([14, 15, 19, 20].map((port) => find(places, "10.0.0.1", port)))
      .toEqual(["first", "first", "first", "second"]);
  });
});
