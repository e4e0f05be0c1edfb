import { describe, expect, test } from "bun:test";
import process from "node:process";
import { Program } from "../../../support/program.ts";
import { requires } from "../../../support/requirements.ts";

const PROGRAM = "tests/adapters/host/native/which_sockets.ts";

describe("nativeSockets", () => {
  if (process.versions.bun || !requires("native-sockets").ok) return;

  // Deno: foreign functions ignore the limits of --allow-net, so it has to be complete.
  test.each([
    ["-A", "foreign functions"],
    ["--allow-net --allow-ffi", "foreign functions"],
    ["--allow-net", "node:net"],
    ["--allow-ffi", "node:net"],
    ["--allow-net=127.0.0.1 --allow-ffi", "node:net"],
    ["--allow-net --allow-ffi=/usr/lib/libc.so.6", "node:net"],
  ])("with %s are %s", async (flags: string, expected: string) => {
    const command = [process.execPath, "run", "--no-prompt", ...flags.split(" "), PROGRAM];
    const { out } = await new Program(command, process.cwd()).finish(20_000);
    expect(out).toBe(`${expected}\n`);
  });
});
