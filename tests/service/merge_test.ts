import { describe, expect, test } from "bun:test";
import { UsageError } from "../../adapters/service/errors.ts";
import { mergeSettings } from "../../adapters/service/merge.ts";
import type { ListenSetting, PublishSetting } from "../../adapters/service/settings.ts";

const listen = (port: number, plugin: string, source = "berth.json"): ListenSetting => ({
  port,
  plugin,
  folder: "/",
  source,
});
const web: PublishSetting = {
  hostname: "127.0.0.1",
  port: 8080,
  to: { hostname: "10.7.0.2", port: 80 },
};

describe("mergeSettings", () => {
  // No flag, no file: the demo on the memory link, where a browser finds it.
  test("makes the demo of nothing", () => {
    const settings = mergeSettings({}, {});
    expect(settings.tun).toBeUndefined();
    expect(settings.addresses).toEqual(["10.7.0.2/24", "fd07::2/64"]);
    expect(settings.hostAddresses).toEqual(["10.7.0.1/24", "fd07::1/64"]);
    expect(settings.listen.map(({ port, plugin }) => [port, plugin])).toEqual([
      [80, "demo"],
      [7, "echo"],
    ]);
    expect(settings.publish).toEqual([
      { ...web, orNextFree: true },
      { ...web, port: 7007, to: { hostname: "10.7.0.2", port: 7 }, orNextFree: true },
    ]);
    expect(settings).toMatchObject({
      mtu: 1500,
      profile: "local",
      logLevel: "info",
      graceMs: 5000,
    });
  });

  // The flag's word counts; what no flag says is the file's.
  test("lets a flag come before the file", () => {
    const settings = mergeSettings(
      { mtu: 9000, profile: undefined },
      { mtu: 1400, profile: "internet", graceMs: 0 },
    );
    expect(settings).toMatchObject({ mtu: 9000, profile: "internet", graceMs: 0 });
  });

  // Repeatable flags add; port 80 is taken from the file.
  test("adds repeatable flags to the file's", () => {
    const settings = mergeSettings(
      { tun: "berth0", addresses: ["fd07::2/64"], listen: [listen(80, "echo", "--listen 80")] },
      { addresses: ["10.7.0.2/24"], listen: [listen(80, "demo"), listen(9, "discard")] },
    );
    expect(settings.addresses).toEqual(["10.7.0.2/24", "fd07::2/64"]);
    expect(settings.listen.map(({ port, plugin }) => [port, plugin])).toEqual([
      [80, "echo"],
      [9, "discard"],
    ]);
  });

  // On a device the kernel finds the demo by itself.
  test("publishes nothing by itself on a device", () => {
    const settings = mergeSettings({ tun: "berth0", addresses: ["10.7.0.2/24"] }, {});
    expect(settings.listen.map(({ plugin }) => plugin)).toEqual(["demo", "echo"]);
    expect(settings.publish).toEqual([]);
  });

  // The demo where the user wants it, and only there.
  test("publishes the demo where it was said", () => {
    expect(mergeSettings({ publish: [web] }, {}).publish).toEqual([web]);
  });

  // Each message says what to do.
  test("refuses what cannot work", () => {
    const unreachable = () => mergeSettings({ listen: [listen(81, "echo")] }, {});
    expect(unreachable).toThrow(UsageError);
    expect(unreachable).toThrow("such as --publish 8080=10.7.0.2:81");
    expect(() => mergeSettings({ listen: [listen(81, "echo")], addresses: ["fd07::2/64"] }, {}))
      .toThrow("such as --publish 8080=[fd07::2]:81");
    expect(() => mergeSettings({ tun: "berth0" }, {})).toThrow(
      "--tun needs at least one --address, such as 10.7.0.2/24",
    );
    const twice = [listen(7, "echo", "--listen 7"), listen(7, "discard", "--listen 7")];
    expect(() => mergeSettings({ listen: twice }, {})).toThrow(
      "--listen 7: the port is given twice",
    );
  });
});
