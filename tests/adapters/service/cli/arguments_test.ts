import { describe, expect, test } from "bun:test";
import process from "node:process";
import { parseArguments } from "../../../../adapters/service/cli/arguments.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";

describe("parseArguments", () => {
  // Every flag once, the repeatable ones twice.
  test("reads every flag", () => {
    const given = parseArguments([
      "--config=berth.json",
      ...["--tun", "berth0", "--address", "10.7.0.2/24", "--address", "fd07::2/64"],
      ...["--except-address", "10.7.0.7", "--except-address", "10.7.9.0/24"],
      ...["--host-address", "10.7.0.9/24", "--mtu", "9000"],
      ...["--workers", "2", "--all-processors", "on"],
      ...["--profile", "internet"],
      ...["--listen", "7=echo", "--listen", "8080=forward:[::1]:3000"],
      ...["--publish", "8080=10.7.0.2:80", "--publish", "[::1]:0=[fd07::2]:7"],
      ...["--log-level", "warn"],
    ]);
    const folder = process.cwd();
    expect(given).toEqual({
      help: false,
      version: false,
      checkConfig: false,
      watch: false,
      config: "berth.json",
      settings: {
        tun: "berth0",
        addresses: ["10.7.0.2/24", "fd07::2/64"],
        hostAddresses: ["10.7.0.9/24"],
        exceptAddresses: ["10.7.0.7", "10.7.9.0/24"],
        mtu: 9000,
        workers: 2,
        allProcessors: true,
        profile: "internet",
        listen: [
          { where: "7", plugin: "echo", folder, source: "--listen 7" },
          { where: "8080", plugin: "forward:[::1]:3000", folder, source: "--listen 8080" },
        ],
        publish: [
          { hostname: "127.0.0.1", port: 8080, to: { hostname: "10.7.0.2", port: 80 } },
          { hostname: "::1", port: 0, to: { hostname: "fd07::2", port: 7 } },
        ],
        logLevel: "warn",
      },
    });
  });

  // Listen addresses are kept in their shortest form.
  test("reads listen addresses", () => {
    const places = ["*", "tcp/8000-8999", "10.90.7.0/24:1-65535", "[FD00::/64]:80", "udp/53"];
    const { listen, addresses } = parseArguments([
      ...["--address", "10.90.0.0/16", "--address", "fd00::/64"],
      ...places.flatMap((where) => ["--listen", `${where}=echo`]),
    ]).settings;
    expect(addresses).toEqual(["10.90.0.0/16", "fd00::/64"]);
    expect(listen!.map(({ where }) => where))
      .toEqual(["*", "8000-8999", "10.90.7.0/24:*", "[fd00::/64]:80", "udp/53"]);
    expect(listen![1]!.source).toBe("--listen 8000-8999");
  });

  // Everything before the last + is middleware.
  test("reads middleware before a plugin", () => {
    const said = { folder: process.cwd(), source: "--listen 80" };
    const listen =
      parseArguments(["--listen", "80=log+timeout:5000+http:./app.ts"]).settings.listen;
    expect(listen).toEqual([{
      ...said,
      where: "80",
      plugin: "http:./app.ts",
      before: [{ ...said, plugin: "log" }, { ...said, plugin: "timeout:5000" }],
    }]);
    expect(() => parseArguments(["--listen", "80=log+"])).toThrow(
      "--listen: expected WHERE=PLUGIN",
    );
  });

  // Without flags nothing is set, so that the file and the defaults apply.
  test("sets only what flags give", () => {
    const { settings, help, config } = parseArguments([]);
    expect(settings).toEqual({});
    expect([help, config]).toEqual([false, undefined]);
    expect(parseArguments(["-h"]).help).toBe(true);
    expect(parseArguments(["--version"]).version).toBe(true);
  });

  // A command and a flag for the same.
  test("reads check FILE", () => {
    const { settings, ...own } = parseArguments(["check", "berth.json", "--mtu", "1400"]);
    expect(own).toEqual({
      ...{ help: false, version: false, checkConfig: true, watch: false },
      config: "berth.json",
    });
    expect(settings).toEqual({ mtu: 1400 });
    expect(parseArguments(["--check-config"]).checkConfig).toBe(true);
  });

  // Each message names the flag and shows a valid value.
  test.each([
    [["--foo"], "Unknown option '--foo'; --help lists the flags"],
    [["--lisen", "7=echo"], "Unknown option '--lisen'; did you mean --listen? --help lists"],
    [["--helo"], "Unknown option '--helo'; did you mean --help? --help lists"],
    [["check"], "check: expected a configuration file, such as check berth.json"],
    [["check", "--mtu"], "check: expected a configuration file, such as check berth.json"],
    [["demo"], "Unexpected argument 'demo'; --help lists the flags"],
    [["--mtu"], "Option '--mtu <value>' argument missing; --help lists the flags"],
    [["--help=yes"], "Option '-h, --help' does not take an argument; --help lists the flags"],
    [["--mtu", "big"], '--mtu: expected a whole number of bytes from 68 to 65535, got "big"'],
    [["--mtu", "67"], "--mtu: expected a whole number of bytes from 68 to 65535, got 67"],
    [["--mtu", "70000"], "--mtu: expected a whole number of bytes from 68 to 65535, got 70000"],
    [["--workers", "0"], "--workers: expected a whole number of threads from 1 to 64, got 0"],
    [
      ["--workers", "many"],
      '--workers: expected a whole number of threads from 1 to 64, got "many"',
    ],
    [["--tun", "a/b"], "--tun: expected a device name of 1 to 15 characters such as berth0"],
    [["--tun", ""], "--tun: expected a device name of 1 to 15 characters such as berth0"],
    [
      ["--address", "10.7.0.2"],
      "--address: expected ADDRESS/LENGTH such as 10.7.0.2/24 or fd07::2/64, or for every address " +
      "of a network NETWORK/LENGTH such as 10.90.0.0/16 or fd00:90::/64, got 10.7.0.2",
    ],
    [["--address", "127.0.0.0/8"], "fd00:90::/64, got 127.0.0.0/8"],
    [
      ["--host-address", "10.90.0.0/16"],
      "--host-address: expected ADDRESS/LENGTH such as 10.7.0.1/24 or fd07::1/64, got 10.90.0.0/16",
    ],
    [
      ["--except-address", "host"],
      "--except-address: expected an address or a network such as 10.90.7.0/24, got host",
    ],
    [
      ["--listen", "10.90.7.1/24:80=echo"],
      "write 10.90.7.1 for that address or 10.90.7.0/24 for the network",
    ],
    [
      ["--host-address", "10.7.0.2/33"],
      "--host-address: expected ADDRESS/LENGTH such as 10.7.0.1/24 or fd07::1/64, got 10.7.0.2/33",
    ],
    [["--profile", "fast"], "--profile: expected local or internet, got fast"],
    [
      ["--log-level", "loud"],
      "--log-level: expected one of debug, info, warn, error, off, got loud",
    ],
    [
      ["--listen", "echo"],
      "--listen: expected WHERE=PLUGIN such as 7=echo, *=echo or 10.90.7.0/24:8000-8999=echo, got echo",
    ],
    [
      ["--listen", "0=echo"],
      '--listen: "0" is not a listen address; write [tcp/|udp/][ADDRESS[/LENGTH]:]PORTS such as 80, ',
    ],
    [
      ["--listen", "65536=echo"],
      '--listen: "65536" is not a listen address; write [tcp/|udp/][ADDRESS[/LENGTH]:]PORTS such as 80, ',
    ],
    [
      ["--listen", "7="],
      "--listen: expected WHERE=PLUGIN such as 7=echo, *=echo or 10.90.7.0/24:8000-8999=echo, got 7=",
    ],
    [
      ["--publish", "8080"],
      "--publish: expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000, got 8080",
    ],
    [
      ["--publish", "8080=10.7.0.2:0"],
      "--publish: expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000, got 8080=10.7.0.2:0",
    ],
    [
      ["--publish", "a=b=c"],
      "--publish: expected [udp/][HOST:]PORT=ADDRESS:PORT such as 8080=10.7.0.2:80, or stack/WHERE=TARGET such as stack/8080=127.0.0.1:3000, got a=b=c",
    ],
  ])("refuses %j", (args: string[], message: string) => {
    expect(() => parseArguments(args)).toThrow(UsageError);
    expect(() => parseArguments(args)).toThrow(message);
  });
});
