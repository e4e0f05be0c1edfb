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
    // It sends a file, shuts its side down and reads to the end: the file, then EOF.
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
    "sends 1 GiB back as it came",
    () =>
      withService(async (namespace) => {
        const size = { least: GIB, most: GIB };
        expect(await runEchoClients(namespace, size, 58_000)).toBe("1 equal\n");
      }),
    60_000,
  );

  // The same amount through IPv6, on a hundred connections.
  testRequiring(
    NEEDS,
    "sends 1 MB back on each of 100 connections through IPv6",
    () =>
      withService(async (namespace) => {
        const load = { host: V6, connections: 100, atOnce: 100, least: 1_000_000, most: 1_000_000 };
        expect(await runEchoClients(namespace, load, 40_000)).toBe("100 equal\n");
      }),
    60_000,
  );

  // Ordinary segments with full checksums.
  testRequiring(
    NEEDS,
    "sends 100 MB back through a device without offload",
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
    // RST: the client need not wait for a timeout.
    testRequiring(
      [...NEEDS, "program:nc"],
      `on which nobody listens is refused by ${address} (RFC 9293 3.10.7.1)`,
      () => withService((namespace) => expectRefusal(namespace, address, 81)),
    );
  }

  // The upstream is dialled before the SYN is answered.
  testRequiring(
    [...NEEDS, "program:nc"],
    "that is forwarded to a dead upstream is refused",
    () => withService((namespace) => expectRefusal(namespace, V4, 8080), ...FORWARD),
  );

  // Each side ends its half first once, 200 KB go either way around it.
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
