import { afterEach, describe, expect, test } from "bun:test";
import process from "node:process";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { ServiceManager, watchdogMs } from "../../../../adapters/service/cli/service_manager.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { endRuns, RUN, Run } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

afterEach(endRuns);

describe("the watchdog", () => {
  // The watchdog gets two messages within the limit, from the start to the end; a reload restarts the time.
  test("is told that the event loop runs", async () => {
    const clock = new VirtualClock();
    const sent: string[] = [];
    const send = (message: string) => void sent.push(message.split("\n")[0]!);
    const manager = new ServiceManager({ send, watchdogMs: 10_000, clock });
    await clock.advance(60_000);
    expect(sent).toEqual([]);
    manager.ready("serving");
    await clock.advance(10_000);
    expect(sent).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    manager.reloading();
    manager.ready("serving");
    await clock.advance(4000);
    manager.stopping();
    await clock.advance(1000);
    manager.close();
    await clock.advance(60_000);
    expect(sent.slice(3)).toEqual(["RELOADING=1", "READY=1", "STOPPING=1", "WATCHDOG=1"]);
    expect(clock.pending).toBe(0);
  });

  // With a reload every four seconds and then an upgrade, the watchdog is never without a message for more than five
  // seconds.
  test("is told during frequent reloads and at an upgrade", async () => {
    const clock = new VirtualClock();
    const told: number[] = [];
    const send = (message: string) => {
      if (message.split("\n").includes("WATCHDOG=1")) told.push(clock.now());
    };
    const manager = new ServiceManager({ send, watchdogMs: 10_000, clock });
    const start = clock.now();
    manager.ready("serving");
    for (let reload = 0; reload < 5; reload++) {
      await clock.advance(4000);
      manager.reloading();
      manager.ready("serving");
    }
    await clock.advance(4000);
    manager.handOver(7);
    expect(told.map((at) => at - start)).toEqual([0, 4000, 8000, 12_000, 16_000, 20_000, 24_000]);
  });

  // The variables may be meant for another process.
  test.each([
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 30_000],
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "x" }, undefined],
    [{}, undefined],
  ])("has the limit of the environment: %j", (environment, limit) => {
    expect(watchdogMs(environment, 7)).toBe(limit);
  });
});

describe("the service manager", () => {
  // A program in the manager's place: it receives the messages, sends SIGHUP, then SIGTERM.
  testRequiring(
    ["program:python3"],
    "is told of the start, of reloads and of the end",
    async () => {
      using folder = new TemporaryFolder();
      for (const path of [folder.file("notify"), `@berth-test-notify-${process.pid}`]) {
        const program = `
import os, signal, socket, subprocess, sys
path = sys.argv[1]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("\\0" + path[1:] if path[0] == "@" else path)
env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
service = subprocess.Popen(sys.argv[2:], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seen = []
while "STOPPING=1" not in seen:
  first = notify.recv(1000).decode().split("\\n")[0]
  if first in seen[-1:]: continue
  seen.append(first)
  if first == "WATCHDOG=1" and "RELOADING=1" not in seen: service.send_signal(signal.SIGHUP)
  elif first == "WATCHDOG=1": service.send_signal(signal.SIGTERM)
print(" ".join(seen), service.wait())`;
        const run = new Run("python3", ["-c", program, path, process.execPath, ...RUN]);
        expect(await run.exit).toBe(0);
        expect(run.out).toBe(
          "READY=1 WATCHDOG=1 RELOADING=1 READY=1 WATCHDOG=1 STOPPING=1 0\n",
        );
      }
    },
  );
});
