import { describe, expect, test } from "bun:test";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import type { PublishSetting } from "../../../../adapters/service/settings/publish_setting.ts";
import type { ListenSetting } from "../../../../adapters/service/settings/listen_setting.ts";

const listen = (where: string, plugin: string, source = "berth.json"): ListenSetting => ({
  where,
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
  // Without flags and file: the demo on the memory link, published for a browser.
  test("defaults to the demo", () => {
    const settings = mergeSettings({}, {});
    expect(settings.tun).toBeUndefined();
    expect(settings.addresses).toEqual(["10.7.0.2/24", "fd07::2/64"]);
    expect(settings.hostAddresses).toEqual(["10.7.0.1/24", "fd07::1/64"]);
    expect(settings.listen.map(({ where, plugin }) => [where, plugin])).toEqual([
      ["80", "demo"],
      ["7", "echo"],
    ]);
    expect(settings.publish).toEqual([
      { ...web, allowsNextPort: true },
      { ...web, port: 8007, to: { hostname: "10.7.0.2", port: 7 }, allowsNextPort: true },
    ]);
    expect(settings).toMatchObject({
      mtu: 1500,
      profile: "local",
      keepAliveMs: 7_200_000,
      logLevel: "info",
      graceMs: 5000,
    });
  });

  // Flags override the file.
  test("prefers flags to the file", () => {
    const settings = mergeSettings(
      { mtu: 9000, profile: undefined },
      { mtu: 1400, profile: "internet", graceMs: 0 },
    );
    expect(settings).toMatchObject({ mtu: 9000, profile: "internet", graceMs: 0 });
  });

  // Repeatable flags add; port 80 overrides that of the file.
  test("adds repeatable flags to the file's", () => {
    const settings = mergeSettings(
      { tun: "berth0", addresses: ["fd07::2/64"], listen: [listen("80", "echo", "--listen 80")] },
      { addresses: ["10.7.0.2/24"], listen: [listen("80", "demo"), listen("9", "discard")] },
    );
    expect(settings.addresses).toEqual(["10.7.0.2/24", "fd07::2/64"]);
    expect(settings.listen.map(({ where, plugin }) => [where, plugin])).toEqual([
      ["80", "echo"],
      ["9", "discard"],
    ]);
  });

  // On a device the kernel reaches the demo directly.
  test("publishes nothing by default on a device", () => {
    const settings = mergeSettings({ tun: "berth0", addresses: ["10.7.0.2/24"] }, {});
    expect(settings.listen.map(({ plugin }) => plugin)).toEqual(["demo", "echo"]);
    expect(settings.publish).toEqual([]);
  });

  // The memory link can be reached only through published ports; privileged ports are mapped to
  // higher ones.
  test("publishes all listening ports without a device", () => {
    const ports = [listen("443", "echo"), listen("1024", "discard")];
    const { publish } = mergeSettings({ listen: ports, addresses: ["fd07::2/64"] }, {});
    expect(publish.map(({ port, to }) => [port, to])).toEqual([
      [8443, { hostname: "fd07::2", port: 443 }],
      [1024, { hostname: "fd07::2", port: 1024 }],
    ]);
    expect(
      publish.every(({ hostname, allowsNextPort }) => hostname === "127.0.0.1" && allowsNextPort),
    )
      .toBe(true);
  });

  // Ranges are omitted; listen addresses with an own address are published.
  test("publishes no ranges of ports", () => {
    const places = ["*", "8000-8999", "udp/53", "10.90.7.0/24:81", "10.90.0.9:82", "83"];
    const { publish, hostAddresses } = mergeSettings({
      addresses: ["10.90.0.0/16"],
      listen: places.map((where) => listen(where, "echo")),
    }, {});
    expect(hostAddresses).toEqual(["10.90.0.1/16"]);
    expect(publish.map(({ to }) => to)).toEqual([
      { hostname: "10.90.7.1", port: 81 },
      { hostname: "10.90.0.9", port: 82 },
      { hostname: "10.90.0.2", port: 83 },
    ]);
    const all = { listen: [listen("*", "echo"), listen("udp/7", "echo")] };
    expect(() => mergeSettings(all, {})).toThrow(
      "the host cannot reach *, udp/7: publish single ports with --publish, such as " +
        "8080=10.7.0.2:80, or a device with --tun",
    );
    expect(mergeSettings({ ...all, publish: [web] }, {}).publish).toEqual([web]);
    const onDevice = { ...all, tun: "berth0", addresses: ["10.90.0.0/16"] };
    expect(mergeSettings(onDevice, {}).publish).toEqual([]);
  });

  // The first address that is not excluded; flags add to the file.
  test("does not publish excluded addresses", () => {
    const settings = mergeSettings(
      { addresses: ["10.90.0.0/16"], exceptAddresses: ["10.90.0.0/24"] },
      { exceptAddresses: ["10.90.1.0", "10.90.1.1"] },
    );
    expect(settings.exceptAddresses).toEqual(["10.90.1.0", "10.90.1.1", "10.90.0.0/24"]);
    expect(settings.publish[0]!.to.hostname).toBe("10.90.1.2");
  });

  // Only where configured.
  test("publishes the demo where configured", () => {
    expect(mergeSettings({ publish: [web] }, {}).publish).toEqual([web]);
  });

  // Each message says what to do.
  test("refuses settings that cannot work", () => {
    const unaddressed = () => mergeSettings({ tun: "berth0" }, {});
    expect(unaddressed).toThrow(UsageError);
    expect(unaddressed).toThrow(
      "--tun and --link need at least one --address, such as 10.7.0.2/24",
    );
    expect(() => mergeSettings({ mtu: 1279 }, {})).toThrow(
      "--mtu: expected at least 1280 for the IPv6 address fd07::2/64 (RFC 8200 5), got 1279",
    );
    expect(mergeSettings({ mtu: 68, addresses: ["10.7.0.2/24"] }, {}).mtu).toBe(68);
    const twice = [listen("7", "echo", "--listen 7"), listen("7", "discard", "--listen 7")];
    expect(() => mergeSettings({ listen: twice }, {})).toThrow(
      "--listen 7: this listen address is given twice: remove one of them",
    );
  });

  // They are a route of the admin API.
  test("refuses metrics without the admin API", () => {
    const admin = { listen: { path: "/run/berth.sock" } };
    expect(mergeSettings({ metrics: true }, { admin }).metrics).toBe(true);
    expect(() => mergeSettings({ metrics: true }, {})).toThrow(
      "--metrics on needs --admin, whose route /metrics serves them",
    );
  });

  // A memory link has no queues.
  test("refuses workers without a device", () => {
    expect(mergeSettings({ workers: 1 }, {}).workers).toBe(1);
    expect(() => mergeSettings({}, { workers: 2 })).toThrow(
      "--workers 2 needs a device, of which each worker reads a queue: add --tun NAME",
    );
  });

  // A connection would have to continue in another thread of the same service.
  test("refuses moves with several workers", () => {
    const settings = { workers: 2, tun: "berth0", addresses: ["10.7.0.2/24"] };
    const moves = { secretFile: "secret" };
    expect(mergeSettings({ ...settings, workers: 1, moves }, {}).moves).toEqual(moves);
    expect(() => mergeSettings({ ...settings, moves }, {})).toThrow(
      "instead of --workers 2 run 2 instances with one worker each",
    );
  });
});
