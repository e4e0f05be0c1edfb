import { describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { checkHost } from "../../../../adapters/service/cli/check_host.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

/** What a check finds: the lines of the error, and those of the log. */
async function check(folder: TemporaryFolder, config: Record<string, unknown>, state?: string) {
  const reasons: string[] = [];
  const warn: typeof silentLogger.warn = (_, fields) =>
    void reasons.push(String(fields?.["reason"]));
  const text = JSON.stringify({ listen: { "7": "echo", "udp/7": "echo" }, ...config });
  const settings = mergeSettings({}, parseConfig(text, join(folder.path, "berth.json")));
  const error = await checkHost(settings, state, { ...silentLogger, warn }).then(
    () => undefined,
    (e) => e,
  );
  if (error !== undefined) expect(error).toBeInstanceOf(UsageError);
  return { faults: error === undefined ? [] : error.message.split("\n"), reasons };
}

describe("check of the host", () => {
  // Existing files and folders keep their content.
  test("changes nothing", async () => {
    using folder = new TemporaryFolder();
    folder.write("berth.log", "before\n");
    const { mtimeMs } = statSync(folder.file("berth.log"));
    const { faults, reasons } = await check(folder, {
      logFile: "berth.log",
      accessLogFile: "access.log",
      capture: "out.pcapng",
      admin: "unix:admin.sock",
      publish: ["0=10.7.0.2:7", "udp/0=10.7.0.2:7"],
    }, folder.file("state/of/berth"));
    expect([faults, reasons]).toEqual([[], []]);
    expect(readdirSync(folder.path)).toEqual(["berth.log"]);
    expect(statSync(folder.file("berth.log"))).toMatchObject({ mtimeMs, size: 7 });
  });

  // Reports all faults at once; the start would find them one after another.
  test("finds what cannot be written", async () => {
    using folder = new TemporaryFolder();
    folder.write("file", "");
    mkdirSync(folder.file("folder"));
    const { faults } = await check(folder, {
      logFile: "gone/berth.log",
      accessLogFile: "folder",
      capture: "gone/out.pcapng",
      admin: "unix:file",
      publish: ["192.0.2.1:0=10.7.0.2:7"],
    }, folder.file("file/state"));
    const path = folder.path;
    expect(faults).toEqual([
      `--log-file ${path}/gone/berth.log: there is no folder ${path}/gone: create it`,
      expect.stringMatching(/^--access-log-file \S+\/folder: .*EISDIR/),
      `--capture ${path}/gone/out.pcapng: there is no folder ${path}/gone: create it`,
      expect.stringMatching(/^--state \S+: .*ENOTDIR/),
      "Cannot publish 192.0.2.1:0: the host has no such address",
      `--admin unix:${path}/file: there is a file that is not a socket: choose another path`,
    ]);
  });

  // Before a reload, the running service uses the ports and sockets of the file.
  test("warns of what is in use", async () => {
    using folder = new TemporaryFolder();
    const tcp = createServer();
    const unix = createServer();
    const udp = createSocket("udp4");
    await new Promise<void>((done) => tcp.listen(0, "127.0.0.1", done));
    await new Promise<void>((done) => unix.listen(folder.file("admin.sock"), done));
    await new Promise<void>((done) => udp.bind(0, "127.0.0.1", done));
    const { port } = tcp.address() as { port: number };
    const token = "0123456789abcdef";
    const { port: udpPort } = udp.address();
    const publish = [`${port}=10.7.0.2:7`, `udp/${udpPort}=10.7.0.2:7`];
    const one = await check(folder, { publish, admin: "unix:admin.sock" });
    const other = await check(folder, { admin: { listen: `127.0.0.1:${port}`, token } });
    for (const each of [tcp, unix, udp]) each.close();
    expect([one.faults, other.faults]).toEqual([[], []]);
    expect([...one.reasons, ...other.reasons]).toEqual([
      `Cannot publish 127.0.0.1:${port}: the port is in use`,
      `Cannot publish 127.0.0.1:${udpPort}: the port is in use`,
      `--admin unix:${
        folder.file("admin.sock")
      }: another service listens there: choose another path`,
      expect.stringContaining(`--admin 127.0.0.1:${port}: `),
    ]);
  });

  // The file may be for a larger machine.
  test("warns of too few processors", async () => {
    using folder = new TemporaryFolder();
    const config = { tun: "berth0", addresses: ["10.7.0.2/24"], workers: 64 };
    const { faults, reasons } = await check(folder, config);
    expect(faults).toEqual([]);
    expect(reasons).toEqual([
      expect.stringMatching(/^--workers 64: this process may use \d+ proc/),
    ]);
  });
});
