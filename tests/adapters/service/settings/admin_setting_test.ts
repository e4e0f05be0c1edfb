import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";

const read = (admin: unknown) =>
  parseConfig(JSON.stringify({ admin }), "/etc/berth/berth.json").admin;

describe("admin", () => {
  // A socket relative to the file; a TCP port with its token.
  test("is a Unix socket, or a TCP port with a token", () => {
    expect(read("unix:run/berth.sock")).toEqual({ listen: { path: "/etc/berth/run/berth.sock" } });
    expect(read({ listen: "127.0.0.1:9000", token: "0123456789abcdef" })).toEqual({
      listen: { hostname: "127.0.0.1", port: 9000 },
      token: "0123456789abcdef",
    });
  });

  // As a browser sends them, in lower case.
  test("has the names of a proxy", () => {
    expect(read({ listen: "unix:/run/berth.sock", hosts: ["Berth.example.com"] })).toEqual({
      listen: { path: "/run/berth.sock" },
      hosts: ["berth.example.com"],
    });
  });

  // Anyone on the host could use a port without a token.
  test.each([
    ["127.0.0.1:9000", "admin: on a TCP port anyone on the host could use it: write"],
    [{ listen: "127.0.0.1:9000" }, "on a TCP port anyone on the host could use it"],
    [{ listen: "127.0.0.1:9000", token: "short" }, "expected at least 16 characters"],
    ["/run/berth.sock", 'expected "unix:PATH" or'],
    [true, 'expected "unix:PATH" or'],
    [{ listen: "unix:/a", hosts: ["example.com:9000"] }, "expected a name without a port, such as"],
    [{ listen: "unix:/a", hosts: ["https://example.com"] }, "expected a name without a port"],
    [{ listen: "unix:/a", hosts: "example.com" }, "hosts"],
  ])("refuses %j", (admin, message) => {
    expect(() => read(admin)).toThrow(message);
  });
});
