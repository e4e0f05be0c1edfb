import { describe, expect } from "bun:test";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { digestOfPattern } from "./programs/pattern.ts";
import { NEEDS, V4, V6, withService, withStack } from "./service.ts";

const CURL = ["curl", "--silent", "--show-error", "--fail", "--max-time", "50"];
const SIZE = 100_000_000;
const needs = [...NEEDS, "program:curl"] as const;

/** Runs a body with a temporary folder. */
async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-e2e-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** Downloads a body, compares it, and uploads it. */
function fetchesBothWays(namespace: Namespace, host: string, size = SIZE): Promise<void> {
  return withFolder(async (folder) => {
    const expected = digestOfPattern(size);
    const file = join(folder, "body");
    await namespace.run([...CURL, "-o", file, `http://${host}/bytes/${size}`], 55_000);
    expect(await digestOfFile(file)).toBe(expected);
    const answer = await namespace.run([...CURL, "-T", file, `http://${host}/digest`], 55_000);
    expect(answer).toBe(expected);
  });
}

describe("curl", () => {
  // 100 MB down and up: Content-Length and SHA-256 are correct in both directions.
  testRequiring(
    needs,
    "transfers 100 MB in both directions",
    () => withService((namespace) => fetchesBothWays(namespace, V4)),
    60_000,
  );

  // The same through IPv6.
  testRequiring(
    needs,
    "transfers 100 MB in both directions over IPv6",
    () => withService((namespace) => fetchesBothWays(namespace, `[${V6}]`)),
    60_000,
  );

  // Neither super-packets nor checksum offload: the stack segments and computes checksums.
  testRequiring(
    needs,
    "transfers 100 MB in both directions through a device without offload",
    () =>
      withStack(
        { profile: "local", offload: false },
        (namespace) => fetchesBothWays(namespace, V4),
      ),
    60_000,
  );

  // Profile `internet` has delayed ACKs, CUBIC and TIME-WAIT.
  testRequiring(
    needs,
    "transfers 100 MB in both directions in profile internet",
    () => withService((namespace) => fetchesBothWays(namespace, V4), "--profile", "internet"),
    60_000,
  );

  // No Content-Length in either direction: chunked (RFC 9112 7.1).
  testRequiring(
    needs,
    "transfers a chunked body in both directions",
    () =>
      withService((namespace) =>
        withFolder(async (folder) => {
          const file = join(folder, "body");
          await namespace.run([...CURL, "-o", file, `http://${V4}/chunked/10000001`]);
          const expected = digestOfPattern(10_000_001);
          expect(await digestOfFile(file)).toBe(expected);
          const upload = `cat ${file} | ${CURL.join(" ")} -T - http://${V4}/digest`;
          expect(await namespace.shell(upload)).toBe(expected);
        })
      ),
  );

  // No request is answered before all 200 have arrived.
  testRequiring(
    needs,
    "has 200 requests served in parallel",
    () =>
      withService((namespace) =>
        withFolder(async (folder) => {
          const parallel = ["--parallel", "--parallel-immediate", "--parallel-max", "200"];
          const output = ["--output", join(folder, "#1")];
          await namespace.run(
            [...CURL, ...parallel, ...output, `http://${V4}/together/200/[1-200]`],
            40_000,
          );
          const answers = Array.from(
            { length: 200 },
            (_, index) => readFileSync(join(folder, String(index + 1)), "utf8"),
          );
          expect(answers).toEqual(numbers(200));
        })
      ),
    60_000,
  );

  // A connection for each request, closed by the server.
  testRequiring(
    needs,
    "makes 1,000 requests with Connection: close",
    () =>
      withService(async (namespace) => {
        const { answers, connections } = await askOneAfterTheOther(namespace, 1000, "close");
        expect(answers).toEqual(numbers(1000));
        expect(connections).toBe(1000);
      }),
    60_000,
  );

  // One connection for all requests.
  testRequiring(
    needs,
    "makes 1,000 requests with keep-alive",
    () =>
      withService(async (namespace) => {
        const { answers, connections } = await askOneAfterTheOther(namespace, 1000, "keep-alive");
        expect(answers).toEqual(numbers(1000));
        expect(connections).toBe(1);
      }),
    60_000,
  );
});

/** After each response curl prints the number of new connections. */
async function askOneAfterTheOther(
  namespace: Namespace,
  count: number,
  connection: "close" | "keep-alive",
): Promise<{ answers: string[]; connections: number }> {
  const header = ["--header", `Connection: ${connection}`];
  const written = ["--write-out", "connections %{num_connects}\n"];
  const url = `http://${V4}/number/[1-${count}]`;
  const lines = (await namespace.run([...CURL, ...header, ...written, url], 50_000)).split("\n");
  const made = lines.filter((line) => line.startsWith("connections "));
  return {
    answers: lines.filter((line) => /^\d+$/.test(line)).map((line) => `${line}\n`),
    connections: made.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0),
  };
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1}\n`);
}
