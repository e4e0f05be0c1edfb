import { afterEach, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { HostConnection } from "../../../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../../../adapters/host/dial.ts";
import { PYTHON, testRequiring } from "../../../../../support/requirements.ts";
import { endRuns, RUN, Run } from "../../../../../support/service_run.ts";
import { ROOT } from "../../../../../support/source_files.ts";
import { TemporaryFolder } from "../../../../../support/temporary_folder.ts";
import { say } from "../../../reload/reload_support.ts";

const NEEDS = ["program:python3"] as const;
const { SIGTERM, SIGHUP, SIGINT, SIGKILL } = constants.signals;

let folder: TemporaryFolder;
const connections: HostConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.abort();
  await endRuns();
  folder[Symbol.dispose]();
});

/** An echo service with an admin API and some clients. */
async function echoService(clients: number) {
  folder = new TemporaryFolder();
  const admin = ["--admin", `unix:${folder.file("s")}`];
  const run = new Run(process.execPath, [
    ...[...RUN, "--listen", "7=echo", "--publish", "0=10.7.0.2:7"],
    ...admin,
  ]);
  const published = await run.published();
  for (let i = 0; i < clients; i++) {
    const client = await dialHost(published);
    connections.push(client);
    expect(await say(client, "ahoy")).toBe("ahoy");
  }
  return { run, command: [process.execPath, ...RUN, "top", ...admin] };
}

interface Step {
  readonly expect?: string;
  readonly send?: string;
  readonly size?: readonly [number, number];
  readonly signal?: number;
  /** The process that gets the signal; default: the program. */
  readonly pid?: number;
}

interface Played {
  readonly screens: readonly string[];
  readonly last: string;
  readonly waitingFor: string | null;
  readonly exit: number | null;
  readonly isRestored: boolean;
  readonly end: string;
}

/** Types at a program on a pseudo-terminal. */
async function play(command: readonly string[], ...steps: readonly Step[]): Promise<Played> {
  const script = join(ROOT, "tests/support/terminal.py");
  const { stdout } = await promisify(execFile)(
    PYTHON,
    [script, JSON.stringify(steps), ...command],
    { cwd: ROOT },
  );
  return JSON.parse(stdout);
}

/** The program has ended well, and the terminal is as before. */
function expectEnd(played: Played): void {
  expect([played.waitingFor, played.exit, played.isRestored, played.last])
    .toEqual([null, 0, true, expect.any(String)]);
  expect(played.end).toContain("\x1b[?25h\x1b[?1049l");
}

describe("berth top", () => {
  // The keys in turn; each screen fits 80 by 24.
  testRequiring(NEEDS, "shows connections, sorts, filters, pages and helps", async () => {
    const { command } = await echoService(20);
    const played = await play(
      command,
      { size: [80, 24] },
      { expect: "^1-18 of 20$[\\s\\S]*OUT/sv", send: ">" },
      { expect: "RTTv", send: "<<" },
      { expect: "IN/sv", send: "i" },
      { expect: "IN/s\\^", send: "\x1b[6~" },
      { expect: "^19-20 of 20$", send: "\x1b[5~" },
      { expect: "^1-18 of 20$", send: "/nobody" },
      { expect: "^filter: nobody_", send: "\r" },
      { expect: '^0-0 of 0 {2}filter "nobody"$', send: "\x1b" },
      { expect: "^1-18 of 20$", send: "h" },
      { expect: "reset the selected connection", send: "x" },
      { expect: "^1-18 of 20$", send: "q" },
    );
    expectEnd(played);
    const [, first = ""] = played.screens;
    expect(first).toMatch(/^berth {2}ready {2}connections 20 .*in [\d.]+[kM]?bit\/s/);
    expect(first).toMatch(/^listen {2}7 echo$/m);
    expect(first).toMatch(/^127\.0\.0\.1:\d+ +10\.7\.0\.2:7 +echo +peer /m);
    for (const screen of played.screens.slice(1)) {
      const lines = screen.split("\n");
      expect(lines.length).toBe(24);
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    }
  }, 60_000);

  // `top` asks before the service resets the connection.
  testRequiring(NEEDS, "resets a connection", async () => {
    const { command } = await echoService(2);
    const played = await play(
      command,
      { expect: "^1-2 of 2$", send: "k" },
      { expect: "^reset 10\\.7\\.0\\.2:7-127\\.0\\.0\\.1:\\d+\\? y/n$", send: "n" },
      { expect: "q quit", send: "\x1b[B" },
      { expect: "q quit", send: "k" },
      { expect: "y/n$", send: "y" },
      { expect: "^1-1 of 1$", send: "q" },
    );
    expectEnd(played);
  }, 60_000);

  // The window is made smaller, down to no size.
  testRequiring(NEEDS, "follows the size of the terminal", async () => {
    const { command } = await echoService(12);
    const played = await play(
      command,
      { size: [120, 30] },
      { expect: "STATE[\\s\\S]*^1-12 of 12$|^1-12 of 12$[\\s\\S]*STATE", size: [40, 10] },
      { expect: "^1-4 of 12$", size: [12, 3] },
      { expect: "^q quit {2}h h~$", size: [80, 24] },
      { expect: "^1-12 of 12$[\\s\\S]*PLUGIN", send: "q" },
    );
    expectEnd(played);
    const [, , narrow = ""] = played.screens;
    expect(narrow.split("\n").length).toBe(10);
    expect(narrow).toMatch(/^PEER +IN\/s +OUT\/sv *$/m);
  }, 60_000);

  // However it ends, the shell gets its terminal back.
  for (
    const [how, step] of [
      ["Ctrl+C", { send: "\x03" }],
      ["SIGTERM", { signal: SIGTERM }],
      ["SIGHUP", { signal: SIGHUP }],
      ["SIGINT", { signal: SIGINT }],
    ] as const
  ) {
    testRequiring(NEEDS, `restores the terminal after ${how}`, async () => {
      const { command } = await echoService(1);
      expectEnd(await play(command, { expect: "^1-1 of 1$", ...step }));
    }, 30_000);
  }

  // The service may be restarted meanwhile.
  testRequiring(NEEDS, "says that the service does not answer, and waits for it", async () => {
    const { run, command } = await echoService(1);
    const played = await play(
      command,
      { expect: "^1-1 of 1$", pid: run.pid, signal: SIGKILL },
      { expect: "^no answer: cannot reach the service at unix:", send: "q" },
    );
    expectEnd(played);
  }, 30_000);

  // A pipe gets one table.
  test("prints one table where there is no terminal", async () => {
    const { command } = await echoService(3);
    const [program = "", ...args] = command;
    const top = new Run(program, args);
    expect(await top.exit).toBe(0);
    const lines = top.out.trimEnd().split("\n");
    expect(lines.length).toBe(5 + 3);
    expect(lines[4]).toMatch(/^PEER +LOCAL +STATE +PLUGIN +WAITS FOR +AGE +IN\/s +OUT\/sv +RTT/);
    expect(top.out).not.toContain("\x1b");
    const wrong = new Run(program, [...args, "-d", "0"]);
    expect(await wrong.exit).toBe(2);
    expect(wrong.log).toContain("--delay 0: expected a whole number from 1 to 3600");
  }, 30_000);
});
