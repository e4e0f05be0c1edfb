import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import {
  formatProxyHeader,
  parseProxyHeader,
  type ProxyEndpoints,
} from "../../../plugins/shared/proxy_header.ts";
import { bytes } from "../../core/api/stack_pair.ts";

const v4: ProxyEndpoints = {
  transport: "tcp",
  source: { hostname: "192.0.2.1", port: 56_324 },
  destination: { hostname: "198.51.100.7", port: 443 },
};
const v6: ProxyEndpoints = {
  transport: "tcp",
  source: { hostname: "2001:db8::1", port: 1 },
  destination: { hostname: "fd00::2", port: 65_535 },
};
const V4_LINE = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
const SIGNATURE = "0d0a0d0a000d0a515549540a";
const V4_BLOCK = `${SIGNATURE}2111000c c0000201 c6336407 dc04 01bb`;

function hex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(" ", "").match(/../g) ?? [];
  return new Uint8Array(digits.map((pair) => parseInt(pair, 16)));
}

function faultOf(input: Uint8Array): string {
  const parsed = parseProxyHeader(input);
  return parsed.state === "malformed" ? parsed.fault : parsed.state;
}

describe("parseProxyHeader", () => {
  // The example of the specification; bytes after it are not consumed.
  test("reads version 1", () => {
    expect(parseProxyHeader(bytes(`${V4_LINE}GET / HTTP/1.1\r\n`))).toEqual({
      state: "complete",
      header: { version: 1, endpoints: v4 },
      length: V4_LINE.length,
    });
    expect(parseProxyHeader(bytes("PROXY TCP6 2001:DB8:0::1 fd00::2 1 65535\r\n")))
      .toMatchObject({ header: { endpoints: v6 } });
  });

  // UNKNOWN may be followed by anything up to the end of the line.
  test.each(["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 what ever\r\n"])("reads %j", (line) => {
    expect(parseProxyHeader(bytes(line))).toEqual({
      state: "complete",
      header: { version: 1 },
      length: line.length,
    });
  });

  // The binary form, with extensions after the addresses.
  test("reads version 2 and skips its extensions", () => {
    const extended = hex(`${V4_BLOCK.replace("000c", "0012")} 04 0003 abcdef`);
    expect(parseProxyHeader(extended)).toEqual({
      state: "complete",
      header: { version: 2, endpoints: v4 },
      length: extended.length,
    });
    const udp = parseProxyHeader(hex(V4_BLOCK.replace("2111", "2112")));
    expect(udp).toMatchObject({ header: { endpoints: { ...v4, transport: "udp" } } });
  });

  // A health check of the proxy with any family; an unspecified family; a Unix socket.
  test.each([
    ["LOCAL", `${SIGNATURE}20000000`],
    ["LOCAL with a family and bytes to skip", `${SIGNATURE}20770003aabbcc`],
    ["an unspecified family", `${SIGNATURE}21000000`],
    ["a Unix socket", `${SIGNATURE}213100d8${"00".repeat(216)}`],
  ])("reads version 2 without a known client: %s", (_name, text) => {
    const input = hex(text);
    expect(parseProxyHeader(input)).toEqual({
      state: "complete",
      header: { version: 2, endpoints: undefined },
      length: input.length,
    });
  });

  // Truncated anywhere, the header is incomplete.
  test("waits for every byte", () => {
    for (const whole of [bytes(V4_LINE), hex(V4_BLOCK), hex(`${SIGNATURE}20000000`)]) {
      for (let cut = 0; cut < whole.length; cut++) {
        expect(parseProxyHeader(whole.subarray(0, cut))).toEqual({ state: "incomplete" });
      }
    }
  });

  // Each is refused with its own reason, as early as possible.
  test.each([
    ["GET / HTTP/1.1\r\n", "signature"],
    ["PROXZ", "signature"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", "syntax"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n", "syntax"],
    ["PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n", "syntax"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n", "syntax"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 056324 443\r\n", "syntax"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 -1 443\r\n", "syntax"],
    ["PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", "syntax"],
    ["PROXY TCP4 host 198.51.100.7 1 2\r\n", "syntax"],
    ["PROXY UNKNOWNS\r\n", "syntax"],
    ["PROXY UNKNOWN a\rb\r\n", "syntax"],
    ["PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", "address"],
    ["PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", "address"],
    ["PROXY TCP4 fd00::1 fd00::2 1 2\r\n", "address"],
    ["PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", "address"],
    [`PROXY UNKNOWN ${"x".repeat(200)}`, "length"],
  ])("refuses %j", (line, fault) => {
    expect(faultOf(bytes(line))).toBe(fault);
  });

  test.each([
    ["another signature", "0d0a0d0a000d0a5155495400", "signature"],
    ["version 1 in binary", `${SIGNATURE}11`, "version"],
    ["an unknown command", `${SIGNATURE}22`, "version"],
    ["an unknown family", `${SIGNATURE}2141000c`, "family"],
    ["an unknown transport", `${SIGNATURE}2113000c`, "family"],
    ["too few bytes for its addresses", `${SIGNATURE}2121000c`, "length"],
    ["more bytes than the limit", `${SIGNATURE}2111ffff`, "length"],
  ])("refuses version 2 with %s", (_name, text, fault) => {
    expect(faultOf(hex(text))).toBe(fault);
  });

  // For any bytes the parser returns a result within the input, and never throws.
  test("tolerates any bytes", () => {
    const random = seededRandom(1);
    const seeds = [bytes(V4_LINE), hex(V4_BLOCK), formatProxyHeader({ version: 2, endpoints: v6 })];
    const states = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const input = seeds[random.uint32() % seeds.length]!.slice();
      for (let edits = random.uint32() % 3; edits > 0; edits--) {
        input[random.uint32() % input.length] = random.uint32();
      }
      const parsed = parseProxyHeader(input);
      states.add(parsed.state);
      if (parsed.state === "complete" && parsed.length > input.length) throw new Error("too long");
    }
    expect([...states].sort()).toEqual(["complete", "incomplete", "malformed"]);
  });
});

describe("formatProxyHeader", () => {
  // The examples of the specification.
  test("writes both versions", () => {
    expect(new TextDecoder().decode(formatProxyHeader({ version: 1, endpoints: v4 }))).toBe(
      V4_LINE,
    );
    expect(formatProxyHeader({ version: 2, endpoints: v4 })).toEqual(hex(V4_BLOCK));
  });

  // Parsing reverses formatting.
  test("can be parsed again", () => {
    const udp: ProxyEndpoints = { ...v6, transport: "udp" };
    for (const endpoints of [v4, v6, udp]) {
      for (const version of [1, 2] as const) {
        const written = formatProxyHeader({ version, endpoints });
        const said = version === 1 && endpoints === udp ? undefined : endpoints;
        expect(parseProxyHeader(written)).toEqual({
          state: "complete",
          header: { version, endpoints: said },
          length: written.length,
        });
      }
    }
  });

  // No endpoints, a host name, or two families: the header has no addresses.
  test("writes UNKNOWN or LOCAL without usable addresses", () => {
    const named = { ...v4, source: { hostname: "client.example", port: 1 } };
    const mixed = { ...v4, source: v6.source };
    for (const endpoints of [undefined, named, mixed]) {
      expect(new TextDecoder().decode(formatProxyHeader({ version: 1, endpoints })))
        .toBe("PROXY UNKNOWN\r\n");
      expect(formatProxyHeader({ version: 2, endpoints })).toEqual(hex(`${SIGNATURE}20000000`));
    }
  });
});
