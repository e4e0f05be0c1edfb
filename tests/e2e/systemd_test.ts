import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";
import { PROJECT, RUNTIME, SystemdMachine } from "../support/systemd_machine.ts";

const PAGE = readFileSync(join(ROOT, "docs/operations.md"), "utf8");

const CONFIG = {
  tun: "berth0",
  addresses: ["10.90.0.2/24", "fd90::2/64"],
  listen: { "7": "echo", "9": "./hangs.ts" },
};

/** The command line of the program on this runtime, without flags of its own. */
function command(): string[] {
  if (process.versions.bun !== undefined) return [RUNTIME, `${PROJECT}/main.ts`];
  const [, flags = ""] = /^deno (run [^]*?)\s+main\.ts --config/m.exec(PAGE) ?? [];
  return [RUNTIME, ...flags.split(/[\s\\]+/).filter(Boolean), "--allow-run", `${PROJECT}/main.ts`];
}

/** The unit of the page, for this runtime and with a watchdog that waits no longer than necessary. */
function unit(): string {
  const [, text = ""] = /```ini\n([^]*?)```/.exec(PAGE) ?? [];
  return text.replaceAll("/usr/local/bin/bun /opt/berth/main.ts", command().join(" "))
    .replace("WatchdogSec=30", "WatchdogSec=5");
}

// With systemd 252 or later as process 1: a reload, a failed reload, a restart and a crash during which a SYN waits,
// an upgrade, an upgrade whose new process is killed, a handler that never returns, and a stop.
testRequiring(
  ["systemd", "program:ip", "program:nsenter", "program:python3"],
  "the unit of docs/operations.md does what the page says",
  async () => {
    await using machine = await SystemdMachine.open({
      "/run/systemd/system/berth.service": unit(),
      "/etc/berth/berth.json": JSON.stringify(CONFIG),
      "/etc/berth/hangs.ts": "export default () => { for (;;); };",
    });
    const checks = `${PROJECT}/tests/e2e/programs/systemd_checks.py`;
    const { exit, out, log } = await machine.run("/usr/bin/python3", "-u", checks, ...command());
    const journal = await machine.run("journalctl", "-u", "berth", "-o", "cat", "-n", "30");
    expect(exit === 0 ? log : `${out}${log}${journal.out}`).toBe("");
    expect(out.split("\n")).toEqual([
      "start 0 serving",
      "reload 0 ahoy",
      "faulty reload 1 ahoy serving",
      "the journal says why True",
      "restart ['ahoy'] True",
      "upgrade 0 True ahoy ahoy",
      "upgrade undone ahoy ahoy 0",
      "upgrade completed 0 True ahoy 0",
      "killed ['ahoy'] True 1",
      "hung ['ahoy'] True 2",
      "stop 0 success None 0",
      "",
    ]);
  },
  120_000,
);
