import { describe, expect, test } from "bun:test";
import { openTun } from "../../../../adapters/links/tun/mod.ts";

describe("openTun", () => {
  // Detected before any system call, so no privilege is needed.
  test.each([
    [{ name: "" }, "BAD_NAME"],
    [{ name: ".." }, "BAD_NAME"],
    [{ name: "a b" }, "BAD_NAME"],
    [{ name: "eth0:1" }, "BAD_NAME"],
    [{ name: "tun%s" }, "BAD_NAME"],
    [{ name: "tun%d%d" }, "BAD_NAME"],
    [{ name: "sixteencharacter" }, "BAD_NAME"],
    [{ mtu: 67 }, "BAD_OPTION"],
    [{ mtu: 65_536 }, "BAD_OPTION"],
    [{ queueLength: 0.5 }, "BAD_OPTION"],
    [{ addresses: ["10.7.0.1/33"] }, "BAD_OPTION"],
    [{ addresses: ["tun0"] }, "BAD_OPTION"],
    [{ fd: -1 }, "BAD_OPTION"],
    [{ fd: 3, name: "tun0" }, "BAD_OPTION"],
    [{ fd: 3, addresses: ["10.7.0.1/24"] }, "BAD_OPTION"],
  ])("refuses %j", async (options, code) => {
    const error = await openTun(options).then(() => undefined, (error) => error);
    expect([error.name, error.code]).toEqual(["TunError", code]);
    expect(error.message).not.toContain("\n");
  });
});
