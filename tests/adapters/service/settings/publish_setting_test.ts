import { describe, expect, test } from "bun:test";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { publishSchema } from "../../../../adapters/service/settings/publish_setting.ts";

const to = { hostname: "10.7.0.2", port: 80 };

function faultOf(text: string): string {
  return publishSchema.safeParse(text).error?.issues[0]?.message ?? "none";
}

describe("publishSchema", () => {
  // Ports of the host, TCP by default.
  test.each([
    ["8080=10.7.0.2:80", { hostname: "127.0.0.1", port: 8080, to }],
    ["tcp/0.0.0.0:8080=10.7.0.2:80", { hostname: "0.0.0.0", port: 8080, to }],
    ["udp/8053=10.7.0.2:80", { hostname: "127.0.0.1", port: 8053, to, transport: "udp" }],
    ["udp/[::1]:0=10.7.0.2:80", { hostname: "::1", port: 0, to, transport: "udp" }],
  ])("%s is a port of the host", (text, setting) => {
    expect<unknown>(publishSchema.parse(text)).toEqual(setting);
  });

  // Listen addresses as for --listen, and targets as for forward.
  test.each([
    ["stack/8080=127.0.0.1:3000", "8080", "127.0.0.1:3000"],
    ["stack/udp/53=192.0.2.1:53", "udp/53", "192.0.2.1:53"],
    ["stack/80=unix:/run/a=b.sock", "80", "unix:/run/a=b.sock"],
    ["stack/*=10.1.0.1:80,10.1.0.2:80", "*", "10.1.0.1:80,10.1.0.2:80"],
    ["stack/[fd00::/64]:80=[::1]:80", "[fd00::/64]:80", "[::1]:80"],
  ])("%s is a place of the stack", (text, where, targets) => {
    expect(publishSchema.parse(text)).toEqual({ where, targets });
  });

  // One message with the syntax; for an invalid listen address that of --listen.
  test("shows the syntax on errors", () => {
    for (
      const text of ["8080", "udp/=10.7.0.2:80", "stack/80=", "stack/80=nowhere", "sctp/1=a:1"]
    ) {
      expect(faultOf(text)).toMatch(
        /^expected \[udp\/\]\[HOST:\]PORT=.* or stack\/WHERE=TARGET .*got /,
      );
    }
    expect(faultOf("stack/70000=127.0.0.1:1")).toMatch(/70000/);
  });
});

describe("mergeSettings", () => {
  // Ports of the stack are served by forward, from a flag or the file.
  test("uses forward for published ports of the stack", () => {
    const parse = (...texts: string[]) => texts.map((text) => publishSchema.parse(text));
    const { listen, publish } = mergeSettings(
      { publish: parse("stack/8080=127.0.0.1:3000", "0=10.7.0.2:8080") },
      { publish: parse("stack/udp/53=192.0.2.1:53") },
    );
    expect(listen.map(({ where, plugin }) => [where, plugin])).toEqual([
      ["udp/53", "forward:192.0.2.1:53"],
      ["8080", "forward:127.0.0.1:3000"],
    ]);
    expect(publish.length).toBe(1);
    const twice = () =>
      mergeSettings({ publish: parse("stack/80=127.0.0.1:1", "stack/80=127.0.0.1:2") }, {});
    expect(twice).toThrow(
      "--publish stack/80: this listen address is given twice: remove one of them",
    );
  });
});
