import { describe, expect } from "bun:test";
import { fileURLToPath } from "node:url";
import { nodeWithFfi } from "../../../support/node.ts";
import { Program } from "../../../support/program.ts";
import { namespaceCommand, testRequiring } from "../../../support/requirements.ts";
import { ROOT } from "../../../support/source_files.ts";

const PROGRAM = fileURLToPath(new URL("programs/node_echo.ts", import.meta.url));

/** Runs the program with Node.js in a network namespace; returns what it printed. */
async function inNode(options: readonly string[], ...args: string[]) {
  const node = [nodeWithFfi()!, "--no-warnings", ...options, PROGRAM, ...args];
  const { exit, out, log } = await new Program([...namespaceCommand(), ...node], ROOT)
    .finish(30_000);
  return { exit, log, ...JSON.parse(out || "{}") };
}

describe("openTun on Node.js", () => {
  const NEEDS = ["tun", "node-ffi"] as const;

  // The kernel's TCP sends 4 MB to an echo behind the device, in super-packets.
  testRequiring(NEEDS, "carries a transfer", async () => {
    expect(await inNode([])).toMatchObject({
      exit: 0,
      bytes: 4_000_000,
      isSame: true,
      features: { checksumOffload: true, maxSuperPacket: 65_535 },
    });
  });

  // A handle left in a worker's event loop would abort the process.
  testRequiring(NEEDS, "works in a worker that is terminated", async () => {
    expect(await inNode([], "worker")).toMatchObject({ exit: 0, isSame: true });
  });

  // `ip link delete`: the wait ends, and the stack with it.
  testRequiring([...NEEDS, "program:ip"], "notices that the device is gone", async () => {
    expect(await inNode([], "gone")).toMatchObject({ exit: 0, code: "DEVICE_GONE" });
  });

  // As on Node.js 24, which has no such module.
  testRequiring(NEEDS, "says in one line what it needs without node:ffi", async () => {
    const { exit, code, message } = await inNode(["--no-experimental-ffi"]);
    expect([exit, code]).toEqual([0, "UNSUPPORTED_PLATFORM"]);
    expect(message).toMatch(/^A TUN or TAP device needs .*Node\.js 26\.6 or later.*$/);
  });

  // Node's permission model refuses to load a library.
  testRequiring(NEEDS, "says which permission it lacks", async () => {
    const answer = await inNode(["--permission", "--allow-fs-read=*"]);
    expect([answer.exit, answer.code]).toEqual([0, "NO_PRIVILEGE"]);
    expect(answer.message).toContain("--allow-ffi");
  });
});
