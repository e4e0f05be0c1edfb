import { expect, test } from "bun:test";
import { createServer } from "node:net";
import process from "node:process";
import { Program, runtimeCommand } from "../../support/program.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

// For the servers of the admin API and of moves, one log line says why, and one that it is over; then clients are
// served again.
test("a service without file descriptors accepts again afterwards", async () => {
  using folder = new TemporaryFolder();
  folder.write("secret", "0123456789abcdef0123456789abcdef");
  const command = runtimeCommand(
    "tests/adapters/service/without_descriptors.ts",
    folder.path,
    String(await freePort()),
  );
  const program = new Program(
    ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", ...command],
    process.cwd(),
  );
  const { out, log } = await program.finish(55_000);
  if (out === "") throw new Error(log);
  const expected = {
    served: true,
    lines: ["cannot accept connections", "accepting connections again"],
  };
  expect(JSON.parse(out)).toEqual({
    "admin on a port": expected,
    "admin on a Unix socket": expected,
    "moves on a port": expected,
    "moves on a Unix socket": expected,
  });
}, 60_000);
