import { describe, expect, test } from "bun:test";
import {
  commonSettings,
  unshareableReason,
  upgradeFault,
} from "../../../../adapters/service/upgrade/inheritance.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";

const COMMON = { tun: "berth0", mtu: 1500, workers: 1, hostAddresses: ["10.7.0.1/24"] };
const settings = (more: object) => ({ ...COMMON, ...more }) as unknown as Settings;

describe("an upgrade", () => {
  // One line for each setting, with both values.
  test("refuses other settings of the device", () => {
    const now = commonSettings(settings({}));
    expect(upgradeFault(now, commonSettings(settings({ logLevel: "debug" })))).toBe(undefined);
    expect(upgradeFault({ tun: "berth0" }, now)).toBe(undefined);
    const admin = (path: string, token: string) =>
      commonSettings(settings({ admin: { listen: { path }, token } }));
    expect(upgradeFault(admin("/a", "one"), admin("/a", "other"))).toBe(undefined);
    expect(upgradeFault(admin("/a", "one"), admin("/b", "one"))).toMatch(/^admin cannot change in/);
    const fault = upgradeFault(now, commonSettings(settings({ tun: undefined, workers: 2 })));
    expect(fault!.split("\n").map((line) => line.slice(0, line.indexOf(" in an")))).toEqual([
      "tun: berth0 cannot become none",
      "workers: 1 cannot become 2",
    ]);
  });

  test.each([
    [{}, undefined],
    [{ tun: undefined }, undefined],
    [{ link: { kind: "fd", options: { fd: 3 } } }, undefined],
    [{ link: { kind: "tap", options: {} } }, "kind tap"],
    [{ link: { kind: "udp", options: {} } }, "kind udp"],
    [{ capture: { file: "a.pcapng" } }, "capture"],
  ])("says whether it is possible with %j", (more, reason) => {
    const said = unshareableReason(settings(more));
    if (reason === undefined) expect(said).toBe(undefined);
    else expect(said).toContain(reason);
  });
});
