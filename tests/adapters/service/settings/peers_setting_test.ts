import { describe, expect, test } from "bun:test";
import { requireChangeable } from "../../../../adapters/service/reload/changes.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";

const MEMBERS = { "0": "192.0.2.10:7946", "1": "[2001:db8::1]:7946" };
const PEERS = { self: 0, secretFile: "secret", members: MEMBERS };

/** The settings of an instance on a device. */
function settings(peers: unknown, others: Record<string, unknown> = {}): Settings {
  const config = { tun: "berth0", addresses: ["10.7.0.2/24"], peers, ...others };
  return mergeSettings({}, parseConfig(JSON.stringify(config), "/etc/berth/berth.json"));
}

describe("peers", () => {
  // Paths are relative to the file; the own member's address is the default of `listen`.
  test("are parsed", () => {
    expect(settings(PEERS).peers).toEqual({
      self: 0,
      secretFile: "/etc/berth/secret",
      listen: { hostname: "192.0.2.10", port: 7946 },
      members: {
        "0": { hostname: "192.0.2.10", port: 7946 },
        "1": { hostname: "2001:db8::1", port: 7946 },
      },
    });
    const srv = { ...PEERS, members: "srv:_peers._udp.berth.example", listen: "192.0.2.10:7946" };
    expect(settings(srv).peers!.members).toBe("_peers._udp.berth.example");
  });

  // One clear message each.
  test.each([
    [{ ...PEERS, self: 64 }, /peers\.self: expected a whole number from 0 to 63/],
    [{ ...PEERS, self: 2 }, /peers\.members: has no instance 2, the number of this one in "self"/],
    [{ ...PEERS, members: { ...MEMBERS, "1": "192.0.2.10:7946" } }, /has two instances at/],
    [{ ...PEERS, members: { ...MEMBERS, "64": "192.0.2.1:1" } }, /expected a number from 0 to 63/],
    [{ ...PEERS, members: { "0": "192.0.2.10" } }, /expected HOST:PORT such as/],
    [{ ...PEERS, members: "peers.example" }, /expected srv:NAME such as/],
    [
      { ...PEERS, members: { "0": "one.example:7946" } },
      /peers\.listen: expected an IP address of this machine/,
    ],
    [
      { ...PEERS, members: "srv:peers.example" },
      /peers\.listen: expected an IP address of this machine/,
    ],
    [{ ...PEERS, secret: "x" }, /peers\.secret/],
  ])("are refused: %j", (peers: unknown, message: RegExp) => {
    expect(() => settings(peers)).toThrow(message);
  });

  // What does not work together.
  test("need a link and keep-alive", () => {
    expect(() => settings(PEERS, { keepAliveMs: 0 })).toThrow(
      "keepAliveMs: expected 1 to 43200000",
    );
    expect(() => settings(PEERS, { tun: undefined })).toThrow("peers: the memory link");
  });

  // With several workers, or with connections that move to other instances.
  test("work with workers and with moves", () => {
    const moves = { secretFile: "secret", listen: "192.0.2.10:7947" };
    expect(settings(PEERS, { workers: 2 }).workers).toBe(2);
    expect(settings(PEERS, { moves }).moves?.listen).toEqual({
      hostname: "192.0.2.10",
      port: 7947,
    });
  });

  // Sequence numbers and timestamps depend on the rest.
  test("can change their members while the service runs", () => {
    const now = settings(PEERS);
    requireChangeable(now, settings({ ...PEERS, members: { "0": MEMBERS["0"] } }));
    const other = settings({ ...PEERS, self: 1 });
    expect(() => requireChangeable(now, other)).toThrow("peers: only members can change");
    expect(() => requireChangeable(now, settings(undefined))).toThrow("peers cannot change");
  });
});
