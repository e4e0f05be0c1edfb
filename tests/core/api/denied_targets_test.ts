import { describe, expect, test } from "bun:test";
import {
  DENIED_BY_DEFAULT,
  subnetsSchema,
  TargetFilter,
} from "../../../core/api/denied_targets.ts";
import { IpAddress } from "../../../core/wire/address.ts";

describe("TargetFilter", () => {
  // A client of a proxy must not reach what listens for the host alone.
  test.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "::1",
    "::7f00:1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:42::42",
    "64:ff9b:1::a00:1",
  ])("denies %s", (address) => {
    expect(new TargetFilter({}).allows(address)).toBe(false);
  });

  // The same addresses in the clothes of IPv6: mapped, and as translators spell them.
  test.each([
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::FFFF:0.0.0.0",
    "[::ffff:7f00:1]",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
  ])("denies %s, which is an IPv4 address", (address) => {
    expect(new TargetFilter({}).allows(address)).toBe(false);
  });

  // Everything else is what such a plugin is for, private networks included.
  test.each([
    "1.1.1.1",
    "10.0.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "192.168.1.1",
    "223.255.255.255",
    "100.100.100.201",
    "2001:db8::1",
    "fd00::1",
    "fe7f::1",
    "::ffff:10.0.0.1",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
  ])("allows %s", (address) => {
    expect(new TargetFilter({}).allows(address)).toBe(true);
  });

  // Neither names nor other spellings of an address, which a resolver of the host may take.
  test.each(["localhost", "", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "fe80::1%eth0"])(
    "denies %p, which is no address",
    (text) => {
      expect(new TargetFilter({}).allows(text)).toBe(false);
    },
  );

  // The longest prefix decides, so one address can be opened, and everything cannot by accident.
  test("lets the longest prefix decide", () => {
    const opened = new TargetFilter({ allow: ["127.0.0.1", "0.0.0.0/0"], deny: ["10.0.0.0/8"] });
    expect(opened.allows("127.0.0.1")).toBe(true);
    expect(opened.allows("::ffff:127.0.0.1")).toBe(true);
    expect(opened.allows("127.0.0.2")).toBe(false);
    expect(opened.allows("10.1.2.3")).toBe(false);
    expect(opened.allows("11.1.2.3")).toBe(true);

    const closed = new TargetFilter({ allow: ["10.0.0.0/8"], deny: ["0.0.0.0/0", "::/0"] });
    expect(closed.allows("10.1.2.3")).toBe(true);
    expect(closed.allows("11.1.2.3")).toBe(false);
    expect(closed.allows("2001:db8::1")).toBe(false);
  });

  // Exactly what the defaults deny can be opened; what is named twice is denied.
  test("prefers deny to allow, and allow to the defaults, where prefixes are equal", () => {
    expect(new TargetFilter({ allow: ["127.0.0.0/8"] }).allows("127.0.0.1")).toBe(true);
    const filter = new TargetFilter({ allow: ["10.0.0.0/8"], deny: ["10.0.0.0/8"] });
    expect(filter.allows("10.0.0.1")).toBe(false);
  });

  // Through the stack there is no host to protect: a list without the defaults.
  test("takes other defaults", () => {
    const filter = new TargetFilter({ deny: ["10.0.0.1"] }, []);
    expect(filter.allows("127.0.0.1")).toBe(true);
    expect(filter.allows("10.0.0.1")).toBe(false);
    expect(filter.allows(IpAddress.parse("10.0.0.2")!)).toBe(true);
  });

  // What cannot be read must not be ignored.
  test("refuses rules that are no subnets", () => {
    expect(() => new TargetFilter({ deny: ["10.0.0.0/33"] })).toThrow(TypeError);
    expect(() => new TargetFilter({ allow: ["localhost"] })).toThrow(/got localhost/);
    expect(subnetsSchema.safeParse(["10.0.0.0/8", "::1"]).success).toBe(true);
    expect(subnetsSchema.safeParse(["localhost"]).error?.issues[0]?.message).toBe(
      'expected an address or a subnet such as 10.0.0.0/8, got "localhost"',
    );
    expect(subnetsSchema.safeParse(DENIED_BY_DEFAULT).success).toBe(true);
  });
});
