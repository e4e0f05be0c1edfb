import process from "node:process";
import { expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { compile } from "./compile.ts";

const FAULTLESS = { mismatches: 0, resets: 0, early_eof: 0, lost: 0, stalled: 0 };
const NEEDS = ["namespace", "program:cc", "program:ip", "program:nsenter"] as const;

// Each mode for a tenth of a second against kernel_server.c; a wrong answer is noticed.
testRequiring(NEEDS, "load.c loads the servers of kernel_server.c in every mode", async () => {
  using folder = new TemporaryFolder();
  await using namespace = await Namespace.open();
  await namespace.start(compile(folder, "kernel_server")).printed(/ready/);
  const generator = compile(folder, "load");
  const load = async (mode: string, port: number, connections: number) => {
    const args = [mode, "127.0.0.1", port, "0.1", connections, process.pid].map(String);
    return JSON.parse(await namespace.run([generator, ...args]));
  };
  for (const [mode, port] of [["up", 9], ["down", 19], ["both", 7]] as const) {
    const result = await load(mode, port, 2);
    expect(result).toMatchObject(FAULTLESS);
    expect(result.gbit_s).toBeGreaterThan(0);
  }
  for (const [mode, port] of [["pingpong", 7], ["crr", 7], ["beside", 19], ["udp", 7]] as const) {
    const result = await load(mode, port, 4);
    expect(result).toMatchObject(FAULTLESS);
    expect(result.req_s).toBeGreaterThan(0);
  }
  expect(await load("idle", 7, 20)).toMatchObject({ early_eof: 0 });
  expect((await load("pingpong", 19, 1)).mismatches).toBeGreaterThan(0);
}, 60_000);
