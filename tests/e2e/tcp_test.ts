import { describe, expect } from "bun:test";
import { Buffer } from "node:buffer";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testRequiring } from "../support/requirements.ts";
import { pieces } from "./programs/pattern.ts";
import {
  NEEDS,
  programCommand,
  runEchoClients,
  V4,
  V6,
  withService,
  withStack,
} from "./service.ts";
import { expectRefusal } from "./transfers.ts";

const GIB = 1024 ** 3;
const FORWARD = ["--listen", "8080=forward:127.0.0.1:3000"];

describe("nc", () => {
  for (const address of [V4, V6]) {
    // nc sends a file, half-closes and reads the file back, then EOF.
    testRequiring(
      [...NEEDS, "program:nc"],
      `gets back all it sent after its half-close from ${address} (RFC 9293 3.6)`,
      () =>
        withService(async (namespace) => {
          const folder = mkdtempSync(join(tmpdir(), "berth-e2e-"));
          try {
            const [there, back] = [join(folder, "there"), join(folder, "back")];
            writeFileSync(there, Buffer.concat([...pieces(10_000_000)]));
            await namespace.shell(`nc -N ${address} 7 <${there} >${back}`);
            expect(readFileSync(back).equals(readFileSync(there))).toBe(true);
          } finally {
            rmSync(folder, { recursive: true });
          }
        }),
    );
  }
});

describe("echo", () => {
  // One connection, 1 GiB, every byte compared.
  testRequiring(
    NEEDS,
    "echoes 1 GiB",
    () =>
      withService(async (namespace) => {
        const size = { least: GIB, most: GIB };
        expect(await runEchoClients(namespace, size, 58_000)).toBe("1 equal\n");
      }),
    60_000,
  );

  // 100 MB over IPv6 on a hundred connections.
  testRequiring(
    NEEDS,
    "echoes 1 MB on each of 100 connections over IPv6",
    () =>
      withService(async (namespace) => {
        const load = { host: V6, connections: 100, atOnce: 100, least: 1_000_000, most: 1_000_000 };
        expect(await runEchoClients(namespace, load, 40_000)).toBe("100 equal\n");
      }),
    60_000,
  );

  // Single segments with complete checksums.
  testRequiring(
    NEEDS,
    "echoes 100 MB through a device without offload",
    () =>
      withStack({ profile: "local", offload: false }, async (namespace) => {
        const size = { least: 100_000_000, most: 100_000_000 };
        expect(await runEchoClients(namespace, size, 58_000)).toBe("1 equal\n");
      }),
    60_000,
  );
});

describe("a port", () => {
  for (const address of [V4, V6]) {
    // RST, so that the client does not wait for a timeout.
    testRequiring(
      [...NEEDS, "program:nc"],
      `on which nobody listens is refused by ${address} (RFC 9293 3.10.7.1)`,
      () => withService((namespace) => expectRefusal(namespace, address, 81)),
    );
  }

  // The upstream is connected before the SYN is answered.
  testRequiring(
    [...NEEDS, "program:nc"],
    "that is forwarded to a dead upstream is refused",
    () => withService((namespace) => expectRefusal(namespace, V4, 8080), ...FORWARD),
  );

  // Each side half-closes first once, with 200 KB in each direction.
  testRequiring(
    NEEDS,
    "that is forwarded carries half-closes in both directions",
    () =>
      withService(async (namespace) => {
        const check = programCommand("forward_check.ts", V4, "8080", "3000");
        expect(await namespace.run(check)).toBe("right\n");
      }, ...FORWARD),
  );
});
