import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { parseConfig, readConfigText } from "../../../../adapters/service/settings/config.ts";

const parse = (config: unknown) => parseConfig(JSON.stringify(config), "conf/berth.json");

describe("parseConfig", () => {
  // All settings. Paths are relative to the file's folder.
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
        { where: "7", plugin: "echo", folder, source: "conf/berth.json:1:155: listen.7" },
        {
          where: "80",
          plugin: "http:./app.ts",
          options: { idleTimeoutMs: 1000 },
          folder,
          source: "conf/berth.json:1:167: listen.80",
        },
      ],
      publish: [{ hostname: "127.0.0.1", port: 8080, to: { hostname: "10.7.0.2", port: 80 } }],
      logLevel: "debug",
      graceMs: 0,
    });
  });

  // Several plugins on a port: the last one serves, and the others wrap it.
  test("reads middleware before a plugin", () => {
    const folder = resolve("conf");
    const shape = { plugin: "shape", options: { sendRate: 1000 } };
    const at = (column: number) => `conf/berth.json:1:${column}: listen`;
    expect(parse({ listen: { "80": ["log", shape, "http:./app.ts"], "7": ["echo"] } })).toEqual({
      listen: [
        { where: "7", plugin: "echo", folder, source: `${at(16)}.7` },
        {
          where: "80",
          plugin: "http:./app.ts",
          folder,
          source: `${at(84)}.80.2`,
          before: [
            { plugin: "log", folder, source: `${at(31)}.80.0` },
            { ...shape, folder, source: `${at(37)}.80.1` },
          ],
        },
      ],
    });
  });

  // The same listen addresses as on the command line; errors show them as in the file.
  test("reads listen addresses", () => {
    const { listen } = parse({ listen: { "*": "echo", "tcp/10.90.7.0/24:80": "demo" } });
    expect(listen).toMatchObject([
      { where: "*", source: "conf/berth.json:1:16: listen.*" },
      { where: "10.90.7.0/24:80", source: "conf/berth.json:1:45: listen.tcp/10.90.7.0/24:80" },
    ]);
  });

  // An empty file sets nothing.
  test("reads an empty object", () => {
    expect(parse({})).toEqual({});
  });

  // Each message starts with the position in the file, in the format of compilers.
  test.each([
    [5, "conf/berth.json:1:1: expected an object, got 5"],
    [
      { listen: { "7": ["log", { plugin: "" }] } },
      "conf/berth.json:1:33: listen.7.1.plugin: expected a plugin",
    ],
    [
      { listen: { "7": [] } },
      "conf/berth.json:1:16: listen.7: expected at least one plugin, got an empty list",
    ],
    [{ lisen: {} }, "conf/berth.json:1:2: lisen: unknown key; did you mean listen?"],
    [
      { mtu: "1500" },
      'conf/berth.json:1:8: mtu: expected a whole number of bytes from 68 to 65535, got "1500"',
    ],
    [
      { addresses: ["10.7.0.2/24", "x"] },
      /conf\/berth\.json:1:29: addresses\.1: expected ADDRESS\/LENGTH such as 10\.7\.0\.2\/24 .*, got x$/,
    ],
    [
      { listen: { http: "echo" } },
      'conf/berth.json:1:12: listen.http: "http" is not a listen address; write [tcp/|udp/]',
    ],
    [
      { listen: { "10.7.0.2/24:80": "echo" } },
      "conf/berth.json:1:12: listen.10.7.0.2/24:80: ",
    ],
    [
      { listen: { "80": 5 } },
      'conf/berth.json:1:17: listen.80: expected "PLUGIN" or { "plugin", "options" }',
    ],
    [
      { listen: { "80": { options: {} } } },
      "conf/berth.json:1:17: listen.80.plugin: expected a plugin such as echo, or the path of a module",
    ],
    [
      { listen: { "80": { plugin: "echo", opt: 1 } } },
      "conf/berth.json:1:40: listen.80.opt: unknown key; the keys are plugin, options",
    ],
    [
      { publish: ["8080"] },
      "conf/berth.json:1:13: publish.0: expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000, got 8080",
    ],
    [
      { logLevel: "loud" },
      "conf/berth.json:1:13: logLevel: expected one of debug, info, warn, error, off, got loud",
    ],
    [
      { keepAliveMs: -1 },
      "conf/berth.json:1:16: keepAliveMs: expected 0 or a number of milliseconds from 1 to 31536000000, got -1",
    ],
    [
      { tcp: { congestion: "vegas" } },
      'conf/berth.json:1:22: tcp.congestion: expected "unacked" or "newreno" or "cubic" or "bbr", got "vegas"',
    ],
    [
      { tcp: { minRtoMs: 500, maxRtoMs: 300 } },
      "conf/berth.json:1:35: tcp.maxRtoMs: expected at least minRtoMs, 500, got 300",
    ],
    [
      { tcp: { userTimeout: 1000 } },
      "conf/berth.json:1:9: tcp.userTimeout: unknown key; did you mean userTimeoutMs?",
    ],
    [
      { udp: { maxFlows: 0 } },
      "conf/berth.json:1:20: udp.maxFlows: expected ",
    ],
    [
      { limits: { maxConnections: 0.5 } },
      "conf/berth.json:1:29: limits.maxConnections: expected ",
    ],
    [
      { graceMs: -1 },
      "conf/berth.json:1:12: graceMs: expected 0 or a number of milliseconds from 1 to 31536000000, got -1",
    ],
  ])("refuses %j", (config: unknown, message: string | RegExp) => {
    expect(() => parse(config)).toThrow(UsageError);
    expect(() => parse(config)).toThrow(message);
  });

  // Two errors are two lines.
  test("reports every error", () => {
    const faults = () => parse({ mtu: 1, profile: "x" });
    expect(faults).toThrow(
      /mtu: expected a whole number of bytes from 68 to 65535, got 1\n.*profile: expected local or internet, got x$/,
    );
  });

  // Syntax errors with their position.
  test("reports the position of syntax errors", () => {
    const broken = '{\n  "mtu": 1400\n  "workers": 2\n}';
    expect(() => parseConfig(broken, "berth.json")).toThrow(
      'berth.json:3:3: expected , or }, found "',
    );
  });

  // Otherwise one of them would be ignored silently.
  test("refuses a key that occurs twice", () => {
    const twice = '{ "listen": {\n "80": "echo",\n "80": "discard" } }';
    expect(() => parseConfig(twice, "berth.json")).toThrow(
      "berth.json:3:2: listen.80: this key occurs twice, first on line 2",
    );
  });

  // Positions refer to the original text.
  test("reads comments and trailing commas, and counts lines with them", () => {
    const text = '// the tunnel\n{\n  "mtu": 1400, /* bytes */\n  "logLevel": "warn",\n}\n';
    expect(parseConfig(text, "berth.json")).toEqual({ mtu: 1400, logLevel: "warn" });
    expect(() => parseConfig(text.replace("warn", "loud"), "berth.json")).toThrow(
      /^berth\.json:4:15: logLevel: expected one of /,
    );
  });

  // Editors use it to find the schema.
  test("accepts $schema", () => {
    expect(parse({ $schema: "./berth.schema.json", mtu: 1400 })).toEqual({ mtu: 1400 });
  });
});

describe("environment variables", () => {
  const variables: Readonly<Record<string, string>> = { MTU: "1400", PORT: "3000", EMPTY: "" };
  const parseWith = (config: unknown) =>
    parseConfig(JSON.stringify(config), "berth.json", (name) => variables[name]);

  // In any string, and for numbers as in a flag.
  test("stand in values", () => {
    expect(parseWith({
      mtu: "${MTU}",
      listen: { "80": { plugin: "forward", options: { to: ["10.1.0.1:${PORT}"] } } },
    })).toMatchObject({
      mtu: 1400,
      listen: [{ where: "80", plugin: "forward", options: { to: ["10.1.0.1:3000"] } }],
    });
  });

  // `$${` is the text `${`; a single dollar stays.
  test("can be escaped", () => {
    expect(parseWith({ capture: "/$${MTU}/$MTU/${EMPTY}$" }).capture).toEqual({
      file: "/${MTU}/$MTU/$",
    });
  });

  // One line for each error.
  test("have to be set", () => {
    expect(() => parseWith({ tun: "${DEVICE}", listen: { "80": "forward:${}" } })).toThrow(
      "berth.json:1:8: tun: the environment variable DEVICE is not set\n" +
        "berth.json:1:35: listen.80: expected ${NAME} for an environment variable, or $${ for the " +
        'text ${, got "forward:${}"',
    );
    expect(() => parseWith({ workers: "${PORT}x" })).toThrow(
      'workers: expected a whole number of threads from 1 to 64, got "3000x"',
    );
  });
});

describe("relative paths", () => {
  // Regardless of the working directory.
  test("are relative to the file's folder", () => {
    const folder = resolve("conf");
    const { capture, link, publish } = parse({
      capture: { file: "a.pcapng", files: 2 },
      link: "stream:listen=./qemu.sock",
      publish: ["stack/80=unix:run/app.sock,127.0.0.1:80", "8080=10.7.0.2:80"],
    });
    expect(capture).toEqual({ file: `${folder}/a.pcapng`, files: 2 });
    expect(link!.options).toMatchObject({ listen: `${folder}/qemu.sock` });
    expect(publish![0]).toMatchObject({ targets: `unix:${folder}/run/app.sock,127.0.0.1:80` });
    expect(parse({ capture: "-" }).capture).toEqual({ file: "-" });
    expect(parse({ capture: "/var/a.pcapng" }).capture).toEqual({ file: "/var/a.pcapng" });
  });
});

describe("readConfigText", () => {
  // The file does not exist, or is a folder.
  test("reports a missing file", () => {
    expect(() => readConfigText("no/such.json")).toThrow(
      "--config no/such.json: there is no such file",
    );
    expect(() => readConfigText("tests")).toThrow("--config tests: it is a folder");
  });
});
