import { describe, expect } from "bun:test";
import { existsSync } from "node:fs";
import { Namespace } from "./namespace.ts";
import { testRequiring } from "./requirements.ts";

const NEEDS = ["namespace", "program:ip", "program:nsenter"] as const;

describe("Namespace", () => {
  // Isolated from the machine's network: only a loopback device, which is up.
  testRequiring(NEEDS, "has a loopback device only", async () => {
    await using namespace = await Namespace.open();
    const devices = await namespace.run(["ip", "-brief", "link"]);
    expect(devices).toMatch(/^lo +UNKNOWN .*\n$/);
  });

  // Processes left by a program end with the namespace.
  testRequiring(NEEDS, "ends all of its processes when it is closed", async () => {
    const namespace = await Namespace.open();
    const program = namespace.start("sh", "-c", "sleep 1000 & echo $!; wait");
    const [, pid] = await program.printed(/(\d+)\n/);
    await namespace.close();
    expect((await program.ended).exit).toBe("SIGKILL");
    while (isRunning(pid!)) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  // The message has the program's output.
  testRequiring(NEEDS, "says why a program failed", async () => {
    await using namespace = await Namespace.open();
    const failure = namespace.shell("echo no >&2; exit 3");
    await expect(failure).rejects.toThrow(/ended with 3:\nno/);
  });

  // A program that hangs fails the test.
  testRequiring(NEEDS, "ends a program that takes too long", async () => {
    await using namespace = await Namespace.open();
    await expect(namespace.run(["sleep", "1000"], 10)).rejects.toThrow(/more than 10 ms/);
  });
});

/** Whether a process is running; an exited one may still be a zombie. */
function isRunning(pid: string): boolean {
  return existsSync(`/proc/${pid}/exe`);
}
