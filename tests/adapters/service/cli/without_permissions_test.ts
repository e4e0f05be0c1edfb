import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../../../support/program.ts";
import { ROOT } from "../../../support/source_files.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const isBun = process.versions["bun"] !== undefined;
const MAIN = join(ROOT, "main.ts");

const DEVICE = ["--tun", "berth0", "--address", "10.7.0.2/24", "--listen", "7=echo"];
const SOCKET = ["--admin", "unix:./admin.sock"];
/** What is granted, the arguments, what is named as missing, and all that the advice has. */
const CASES: readonly (readonly [string, readonly string[], string, string])[] = [
  ["", [], "net", "net"],
  ["", ["--config", "berth.json"], "read", "read"],
  ["read", ["--config", "berth.json"], "env", "read env"],
  ["ffi", DEVICE, "sys", "sys ffi"],
  ["net", ["--listen", "443=tls:cert.pem,key.pem+echo"], "read write env", "net read write env"],
  ["", ["--capture", "a.pcapng"], "net read write", "net read write"],
  ["", ["status", ...SOCKET], "net read write", "net read write"],
  ["", ["status", "--admin", "127.0.0.1:1"], "env", "env"],
  ["", ["init", "plugin", "new"], "read write", "read write"],
];

/**
 * The arguments are in a file, because Deno adds `-A` to a command that has Deno's own path among its arguments and
 * no permission.
 */
function program(folder: TemporaryFolder, ...args: readonly string[]): Program {
  const script = folder.write("run.sh", `exec '${process.execPath}' run --no-prompt "$@"\n`);
  return new Program(["sh", script, ...args], folder.path);
}

const flagsOf = (names: string) =>
  names.split(" ").filter(Boolean).map((name) => `--allow-${name}`).join(" ");

describe("a start with few permissions", () => {
  // One line with the missing flags is printed, without a prompt or a stack trace. Bun has no permissions.
  test.each(isBun ? [] : CASES)(
    "of Deno says in one line what is missing: with %j, %j lacks %s",
    async (granted, args, missing, advice) => {
      using folder = new TemporaryFolder();
      const token = "${BERTH_ADMIN_TOKEN}";
      folder.write(
        "berth.json",
        JSON.stringify({ listen: { 7: "echo" }, admin: { listen: "127.0.0.1:0", token } }),
      );
      const flags = flagsOf(granted).split(" ").filter(Boolean);
      const { exit, out, log } = await program(folder, ...flags, MAIN, ...args).finish(25_000);
      expect([exit, out, log]).toEqual([
        2,
        "",
        `berth: Deno was started without ${flagsOf(missing)}: use deno run -A main.ts, or ` +
        `deno run ${flagsOf(advice)} main.ts\n`,
      ]);
    },
    30_000,
  );

  // Commands that need no permission work without one.
  test("of Deno shows the help and the version", async () => {
    if (isBun) return;
    using folder = new TemporaryFolder();
    for (const flag of ["--help", "--version"]) {
      const { exit, out, log } = await program(folder, MAIN, flag).finish(25_000);
      expect([exit, log]).toEqual([0, ""]);
      expect(out).toContain("berth");
    }
  }, 30_000);
});
