import { describe, expect, test } from "bun:test";
import { IpAddress } from "../../../core/wire/address.ts";
import {
  DENIED_BY_DEFAULT,
  subnetsSchema,
  TargetFilter,
} from "../../../plugins/shared/denied_targets.ts";

describe("TargetFilter", () => {
  // A client of a proxy must not reach services meant only for the host.
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

  // The same addresses in IPv6 form: mapped, and with translation prefixes.
  test.each([
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::FFFF:0.0.0.0",
    "[::ffff:7f00:1]",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:FF9B:0:0:0:0:7F00:1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "::ffff:0:127.0.0.1",
    "::ffff:0:7f00:1",
    "0:0:0:0:ffff:0:a9fe:a9fe",
    "[::ffff:0:0.0.0.0]",
    "2001::7f00:1:0:0:0", // Teredo, its server is 127.0.0.1
    "2001:0:4136:e378:8000:63bf:80ff:fffe", // Teredo, the client
    "2001:0:808:808:0:0:5601:5601",
    "2001:db8::5efe:127.0.0.1", // ISATAP
    "2001:db8:1:2:200:5efe:a9fe:a9fe",
    "fd00::5efe:7f00:1",
    "2001:db8::100:5efe:127.0.0.1",
    "2001:db8::300:5efe:127.0.0.1",
    "2002:808:808::5efe:127.0.0.1", // 6to4 and ISATAP
    "64:ff9b::168.63.129.16",
  ])("denies %s, which holds an IPv4 address", (address) => {
    expect(new TargetFilter({}).allows(address)).toBe(false);
  });

  // Everything else is allowed, including private networks.
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
    "::ffff:0:8.8.8.8",
    "2001:0:808:808:0:0:f7f7:f7f7",
    "2001:db8::5efe:8.8.8.8",
    "2001:db8::400:5efe:7f00:1",
    "2001:db8::127.0.0.1",
    "2001:1::7f00:1",
  ])("allows %s", (address) => {
    expect(new TargetFilter({}).allows(address)).toBe(true);
  });

  // Names and other spellings of addresses, which the host's resolver may accept.
  test.each([
    "localhost",
    "",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "0",
    "::ffff:0x7f.1",
    "fe80::1%eth0",
    "::1%lo",
    "::ffff:127.0.0.1%1",
  ])(
    "denies %p, which is not an address",
    (text) => {
      expect(new TargetFilter({}).allows(text)).toBe(false);
    },
  );

  // The longest prefix decides, so that a single address can be allowed, but not everything by
  // accident.
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

  // A rule for IPv4 applies to every IPv6 address that embeds it; both have to be allowed.
  test("applies IPv4 rules to embedded IPv4 addresses", () => {
    const closed = new TargetFilter({ deny: ["10.0.0.0/8"] });
    for (const form of ["64:ff9b::a00:1", "2002:a00:1::1", "::ffff:0:a00:1", "fd01::5efe:a00:1"]) {
      expect(closed.allows(form)).toBe(false);
      expect(new TargetFilter({}).allows(form)).toBe(true);
    }
    const opened = new TargetFilter({ allow: ["127.0.0.1", "::1", "::/96"] });
    expect(opened.allows("64:ff9b::127.0.0.1")).toBe(true);
    expect(opened.allows("64:ff9b::127.0.0.2")).toBe(false);
    expect(opened.allows("::1")).toBe(true);
    expect(opened.allows("::127.0.0.1")).toBe(true);
    expect(opened.allows("::127.0.0.2")).toBe(false);
  });

  // If a local NAT64 prefix is allowed, denied IPv4 addresses stay denied at every prefix length.
  test("looks for IPv4 addresses in NAT64 prefixes of local use (RFC 6052 2.2)", () => {
    const opened = new TargetFilter({ allow: ["64:ff9b:1::/48"] });
    for (
      const loopback of [
        "64:ff9b:1::127.0.0.1",
        "64:ff9b:1:abcd::7f00:1",
        "64:ff9b:1:7f00:0:100::", // 48 bits
        "64:ff9b:1:7f:0:1::", // 56 bits
        "64:ff9b:1:2:7f:0:100:0", // 64 bits
      ]
    ) expect([loopback, opened.allows(loopback)]).toEqual([loopback, false]);
    for (
      const target of [
        "64:ff9b:1::10.1.2.3",
        "64:ff9b:1:a01:2:300::",
        "64:ff9b:1:a:1:203::",
        "64:ff9b:1:2:a:102:300:0",
      ]
    ) expect([target, opened.allows(target)]).toEqual([target, true]);
  });

  // Exactly the default prefixes can be allowed; a prefix in both lists is denied.
  test("prefers deny to allow, and allow to the defaults, where prefixes are equal", () => {
    expect(new TargetFilter({ allow: ["127.0.0.0/8"] }).allows("127.0.0.1")).toBe(true);
    const filter = new TargetFilter({ allow: ["10.0.0.0/8"], deny: ["10.0.0.0/8"] });
    expect(filter.allows("10.0.0.1")).toBe(false);
  });

  // Through the stack there is no host to protect, so the defaults do not apply.
  test("accepts other defaults", () => {
    const filter = new TargetFilter({ deny: ["10.0.0.1"] }, []);
    expect(filter.allows("127.0.0.1")).toBe(true);
    expect(filter.allows("10.0.0.1")).toBe(false);
    expect(filter.allows(IpAddress.parse("10.0.0.2")!)).toBe(true);
  });

  // Invalid rules must not be ignored.
  test("refuses invalid subnets", () => {
    expect(() => new TargetFilter({ deny: ["10.0.0.0/33"] })).toThrow(TypeError);
    expect(() => new TargetFilter({ allow: ["localhost"] })).toThrow(/got localhost/);
    expect(subnetsSchema.safeParse(["10.0.0.0/8", "::1"]).success).toBe(true);
    expect(subnetsSchema.safeParse(["localhost"]).error?.issues[0]?.message).toBe(
      'expected an address or a subnet such as 10.0.0.0/8, got "localhost"',
    );
    expect(subnetsSchema.safeParse(DENIED_BY_DEFAULT).success).toBe(true);
  });
});
