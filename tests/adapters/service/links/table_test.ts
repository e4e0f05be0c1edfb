import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArguments } from "../../../../adapters/service/cli/arguments.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { openNetwork } from "../../../../adapters/service/links/network.ts";
import { LINK_KINDS, parseLink } from "../../../../adapters/service/links/table.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { ROOT } from "../../../support/source_files.ts";

describe("parseLink", () => {
  // The first option may omit its name; with names, the order is free.
  test.each([
    ["tun:berth0", { name: "berth0" }],
    ["tun:berth0,offload=off,queue=100", { name: "berth0", offload: false, queue: 100 }],
    ["tun:queue=100,name=berth0", { name: "berth0", queue: 100 }],
  ])("reads %s", (text, options) => {
    expect(parseLink(text)).toEqual({ kind: "tun", options });
  });

  // Each message says what was expected.
  test.each([
    ["", 'there is no link "";'],
    ["telnet:berth0", 'there is no link "telnet"; there are tun, tap, '],
    ["tin:berth0", 'there is no link "tin"; did you mean tun?'],
    ["constructor:x", 'there is no link "constructor"'],
    ["tun:berth0,off", '"off" is not NAME=VALUE; expected tun:NAME'],
    ["tun:berth0,=off", '"=off" is not NAME=VALUE; expected tun:NAME'],
    ["tun:berth0,offload=no", "offload: expected on or off, got no; expected tun:NAME"],
    ["tun:berth0,queue=many", "queue: expected a whole number, got many; expected tun:NAME"],
    ["tun:berth0,name=berth1", "name: "],
    ["tun:berth0,speed=9", "speed: unknown key; the keys are name, "],
    ["tun", "name: "],
  ])("refuses %j", (text, message) => {
    expect(parseLink(text)).toContain(message);
  });
});

describe("links of Ethernet", () => {
  // Repeated options add up; the MTU leaves room for the tunnel.
  test("are read with the options of their station", () => {
    const text = "vxlan:42,remote=192.0.2.2,remote=192.0.2.3:4790,mac=02:00:00:00:00:01";
    expect(parseLink(`${text},gateway=10.7.0.1,gateway=fd07::1`)).toEqual({
      kind: "vxlan",
      options: {
        vni: 42,
        remote: ["192.0.2.2", "192.0.2.3:4790"],
        offload: false,
        mac: "02:00:00:00:00:01",
        gateway: ["10.7.0.1", "fd07::1"],
      },
    });
    const mtuOf = (link: string) =>
      mergeSettings(parseArguments(["--link", link, "--address", "10.7.0.2/24"]).settings, {}).mtu;
    expect(["vxlan:1", "vxlan:1,remote=::1", "tap:a"].map(mtuOf)).toEqual([1450, 1430, 1500]);
  });

  // Each message shows a valid value.
  test.each([
    ["tap:a,mac=02:00", "mac: expected a unicast MAC address such as 02:00:00:00:00:01, got 02:00"],
    ["tap:a,gateway=x", "gateway: expected an address such as 10.7.0.1, got x"],
    ["vxlan:16777216", "vni: expected a number from 0 to 16777215"],
    ["vxlan:1,remote=x", "remote: expected addresses such as 192.0.2.2 or"],
    ["stream:listen=5555", "listen: expected HOST:PORT or a path such as ./berth.sock, got 5555"],
    ["stream:listen=./a,connect=./b", "needs one of listen and connect"],
    ["stream:127.0.0.1:1", "is not NAME=VALUE; expected stream:listen=PLACE"],
    ["dgram:local=127.0.0.1:1", "remote: expected HOST:PORT"],
    ["dgram:local=127.0.0.1:1,remote=::1", "remote: expected HOST:PORT such as 127.0.0.1:5555"],
    ["vxlan:1,local=x", "local: expected an address such as 192.0.2.2 or"],
  ])("refuses %j", (text, message) => {
    expect(parseLink(text)).toContain(message);
  });

  // The stack's own addresses are reached from the other side of the link.
  test("cannot publish an own address", async () => {
    const flags = ["--link", "vxlan:1", "--address", "10.7.0.2/24", "--publish", "0=10.7.0.2:80"];
    const settings = mergeSettings(parseArguments(flags).settings, {});
    const opened = async () => await openNetwork(settings, silentLogger);
    await expect(opened()).rejects.toThrow(
      "10.7.0.2:80 is the stack's own, which with --link vxlan",
    );
  });
});

describe("--link", () => {
  const settingsOf = (...flags: string[]) => mergeSettings(parseArguments(flags).settings, {});

  // A link needs an address, like a device, and no port is published by default.
  test("takes the memory link's place", () => {
    const settings = settingsOf("--link", "tun:berth0", "--address", "10.7.0.2/24");
    expect(settings.link).toEqual({ kind: "tun", options: { name: "berth0" } });
    expect(settings).toMatchObject({ publish: [], mtu: 1500, hostAddresses: ["10.7.0.1/24"] });
  });

  // One message for each contradiction.
  test.each([
    [["--link", "tun:a", "--tun", "b", "--address", "10.7.0.2/24"], "cannot be used together"],
    [["--link", "tun:a"], "--tun and --link need at least one --address"],
    [
      ["--link", "tun:a", "--workers", "2", "--address", "10.7.0.2/24"],
      "--workers 2 needs a device",
    ],
    [["--link", "tin:a"], '--link: there is no link "tin"'],
  ])("refuses %j", (flags, message) => {
    expect(() => settingsOf(...flags)).toThrow(UsageError);
    expect(() => settingsOf(...flags)).toThrow(message);
  });
});

describe("docs/links.md", () => {
  const page = readFileSync(join(ROOT, "docs/links.md"), "utf8");

  // A section with an example for each kind; what the page shows can be parsed.
  test("describes every kind", () => {
    for (const kind of Object.keys(LINK_KINDS)) {
      expect(page).toContain(`\n## ${kind}\n`);
      expect(page).toContain(`--link ${kind}:`);
    }
    const examples = [...page.matchAll(/--link ([a-z]+:[^\s`]*[a-z0-9][^\s`]*)/g)]
      .map(([, text]) => text!)
      .filter((text) => !/[A-Z]{3}/.test(text));
    expect(examples.length).toBeGreaterThan(0);
    for (const text of examples) expect(parseLink(text)).toMatchObject({ options: {} });
  });
});
