import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { parseConfig, readConfig } from "../../../../adapters/service/settings/config.ts";

const parse = (config: unknown) => parseConfig(JSON.stringify(config), "conf/berth.json");

describe("parseConfig", () => {
  // Everything that can be said. Paths are relative to the file's folder.
  test("reads every setting", () => {
    const settings = parse({
      tun: "berth0",
      addresses: ["10.7.0.2/24"],
      hostAddresses: ["10.7.0.1/24"],
      mtu: 1400,
      workers: 4,
      profile: "internet",
      keepAliveMs: 60_000,
      listen: {
        "7": "echo",
        "80": { plugin: "http:./app.ts", options: { idleTimeoutMs: 1000 } },
      },
      publish: ["8080=10.7.0.2:80"],
      logLevel: "debug",
      graceMs: 0,
    });
    const folder = resolve("conf");
    expect(settings).toEqual({
      tun: "berth0",
      addresses: ["10.7.0.2/24"],
      hostAddresses: ["10.7.0.1/24"],
      mtu: 1400,
      workers: 4,
      profile: "internet",
      keepAliveMs: 60_000,
      listen: [
        { where: "7", plugin: "echo", folder, source: "conf/berth.json: listen.7" },
        {
          where: "80",
          plugin: "http:./app.ts",
          options: { idleTimeoutMs: 1000 },
          folder,
          source: "conf/berth.json: listen.80",
        },
      ],
      publish: [{ hostname: "127.0.0.1", port: 8080, to: { hostname: "10.7.0.2", port: 80 } }],
      logLevel: "debug",
      graceMs: 0,
    });
  });

  // Several plugins on a port: the last serves, those before it are around it.
  test("reads middleware in front of a plugin", () => {
    const folder = resolve("conf");
    const shape = { plugin: "shape", options: { sendRate: 1000 } };
    const place = "conf/berth.json: listen.80";
    expect(parse({ listen: { "80": ["log", shape, "http:./app.ts"], "7": ["echo"] } })).toEqual({
      listen: [
        { where: "7", plugin: "echo", folder, source: "conf/berth.json: listen.7" },
        {
          where: "80",
          plugin: "http:./app.ts",
          folder,
          source: `${place}.2`,
          before: [
            { plugin: "log", folder, source: `${place}.0` },
            { ...shape, folder, source: `${place}.1` },
          ],
        },
      ],
    });
  });

  // The same places as on the command line; a fault names them as they are in the file.
  test("reads where plugins listen", () => {
    const { listen } = parse({ listen: { "*": "echo", "tcp/10.90.7.0/24:80": "demo" } });
    expect(listen).toMatchObject([
      { where: "*", source: "conf/berth.json: listen.*" },
      { where: "10.90.7.0/24:80", source: "conf/berth.json: listen.tcp/10.90.7.0/24:80" },
    ]);
  });

  // An empty file sets nothing.
  test("reads an empty object", () => {
    expect(parse({})).toEqual({});
  });

  // Each message has the file and the place in it.
  test.each([
    [5, "conf/berth.json: expected an object, got 5"],
    [
      { listen: { "7": ["log", { plugin: "" }] } },
      "conf/berth.json: listen.7.1.plugin: expected a plugin",
    ],
    [{ listen: { "7": [] } }, "conf/berth.json: listen.7"],
    [{ lisen: {} }, "conf/berth.json: lisen: unknown key; the keys are "],
    [
      { mtu: "1500" },
      'conf/berth.json: mtu: expected a whole number of bytes from 68 to 65535, got "1500"',
    ],
    [
      { addresses: ["10.7.0.2/24", "x"] },
      /conf\/berth\.json: addresses\.1: expected ADDRESS\/LENGTH such as 10\.7\.0\.2\/24 .*, got x$/,
    ],
    [
      { listen: { http: "echo" } },
      'conf/berth.json: listen.http: "http" is not a listen address; write [tcp/|udp/]',
    ],
    [
      { listen: { "10.7.0.2/24:80": "echo" } },
      "conf/berth.json: listen.10.7.0.2/24:80: ",
    ],
    [
      { listen: { "80": 5 } },
      'conf/berth.json: listen.80: expected "PLUGIN" or { "plugin", "options" }',
    ],
    [
      { listen: { "80": { options: {} } } },
      "conf/berth.json: listen.80.plugin: expected a plugin such as echo, or the path of a module",
    ],
    [
      { listen: { "80": { plugin: "echo", opt: 1 } } },
      "conf/berth.json: listen.80.opt: unknown key; the keys are plugin, options",
    ],
    [
      { publish: ["8080"] },
      "conf/berth.json: publish.0: expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000, got 8080",
    ],
    [
      { logLevel: "loud" },
      "conf/berth.json: logLevel: expected one of debug, info, warn, error, off, got loud",
    ],
    [
      { keepAliveMs: -1 },
      "conf/berth.json: keepAliveMs: expected a number of milliseconds from 0 to 31536000000, got -1",
    ],
    [
      { graceMs: -1 },
      "conf/berth.json: graceMs: expected a number of milliseconds from 0 to 31536000000, got -1",
    ],
  ])("refuses %j", (config: unknown, message: string | RegExp) => {
    expect(() => parse(config)).toThrow(UsageError);
    expect(() => parse(config)).toThrow(message);
  });

  // Two faults, two lines: both can be mended at once.
  test("names every fault", () => {
    const faults = () => parse({ mtu: 1, profile: "x" });
    expect(faults).toThrow(
      /mtu: expected a whole number of bytes from 68 to 65535, got 1\n.*profile: expected local or internet, got x$/,
    );
  });

  // A comma too many.
  test("says that a text is no JSON", () => {
    expect(() => parseConfig("{,}", "berth.json")).toThrow(/^berth\.json: not JSON: /);
  });
});

describe("readConfig", () => {
  // The name is wrong, or it is a folder's.
  test("says that there is no such file", () => {
    expect(() => readConfig("no/such.json")).toThrow(
      "--config no/such.json: there is no such file",
    );
    expect(() => readConfig("tests")).toThrow("--config tests: it is a folder");
  });
});
