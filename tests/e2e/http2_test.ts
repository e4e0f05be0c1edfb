import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect } from "bun:test";
import { join, resolve } from "node:path";
import { makeCertificate } from "../support/certificates.ts";
import { Chromium } from "../support/chromium.ts";
import { Program, runtimeCommand } from "../support/program.ts";
import { PYTHON, testRequiring } from "../support/requirements.ts";
import { memoryOf } from "../support/resident_memory.ts";
import { ROOT } from "../support/source_files.ts";
import { NEEDS, V4, withConfiguredService } from "./service.ts";

const APP = resolve("tests/e2e/programs/app.ts");
const config = { listen: { "8080": [`http2:${APP}`, `http:${APP}`] } };
const URL = `http://${V4}:8080`;

/** Allowed difference of a process's memory after 4 and after 16 runs, in bytes. */
const MAX_GROWTH = 96 * 2 ** 20;

describe("h2load", () => {
  // Three timed runs each end with GOAWAY on 8 connections with 128 open streams. Afterwards a run with a fixed
  // number of requests is served.
  testRequiring(
    [...NEEDS, "program:h2load"],
    "ends connections in the middle of their requests (RFC 9113 6.8)",
    () =>
      withConfiguredService(config, async (namespace) => {
        for (let i = 0; i < 3; i++) {
          await namespace.run(["h2load", "-c8", "-m16", "-D1", `${URL}/number/7`], 50_000);
        }
        const counted = ["h2load", "-c8", "-m16", "-n2000", `${URL}/number/7`];
        expect(await namespace.run(counted, 50_000)).toContain("2000 succeeded, 0 failed");
      }),
    180_000,
  );

  // Each run leaves 128 open streams behind. The first runs fill caches and compile; those after them must not add
  // to what the process keeps, except for garbage that is still to be collected. A leak of what a run leaves would be
  // several MB for each.
  testRequiring(
    [...NEEDS, "program:h2load"],
    "leaves no memory behind, however often it ends in the middle",
    () =>
      withConfiguredService(config, async (namespace, service) => {
        const attack = async (times: number) => {
          for (let i = 0; i < times; i++) {
            await namespace.run(["h2load", "-c8", "-m16", "-D1", `${URL}/number/7`], 50_000);
          }
        };
        await attack(4);
        const bound = memoryOf(service) + MAX_GROWTH;
        await attack(12);
        // A few requests now and then, with which the runtimes collect garbage.
        for (let i = 0; memoryOf(service) > bound; i++) {
          if (i === 50) throw new Error(`${memoryOf(service)} bytes, more than ${bound}`);
          const few = ["h2load", "-c1", "-m1", "-n500", `${URL}/number/7`];
          expect(await namespace.run(few, 50_000)).toContain("500 succeeded, 0 failed");
        }
      }),
    300_000,
  );
});

describe("nghttp", () => {
  // 20 requests on one connection; the client ends with GOAWAY.
  testRequiring(
    [...NEEDS, "program:nghttp"],
    "sends requests over HTTP/2, then GOAWAY (RFC 9113 6.8)",
    () =>
      withConfiguredService(config, async (namespace) => {
        for (let i = 0; i < 5; i++) {
          const command = ["nghttp", "-n", "-s", "-m20", `${URL}/number/7`];
          const statistics = await namespace.run(command, 50_000);
          expect(statistics.match(/ 200 +\d+ +\/number\/7/g) ?? statistics).toHaveLength(20);
        }
      }),
    180_000,
  );
});

describe("python3-h2", () => {
  // A client that enforces RFC 9113 strictly: uploads, downloads, a reset, 100 (Continue),
  // trailers, and a graceful end.
  testRequiring(
    [...NEEDS, "python:h2"],
    "finds no violations",
    () =>
      withConfiguredService(config, async (namespace) => {
        const client = "tests/e2e/programs/h2_client.py";
        expect(await namespace.run([PYTHON, client, V4, "8080"], 60_000)).toBe([
          "uploads 5",
          "downloads 5",
          "after a reset 7",
          "continue True True",
          "trailers True",
          "end",
          "",
        ].join("\n"));
      }),
    120_000,
  );
});

describe("Chromium", () => {
  // 50 requests, an upload of 500 kB and a WebSocket, all on one connection of HTTP/2 over TLS.
  testRequiring(
    ["program:chromium", "program:openssl"],
    "fetches and opens a WebSocket over HTTP/2 (RFC 8441)",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "berth-h2-"));
      const { cert, key } = makeCertificate(["127.0.0.1"]);
      writeFileSync(join(folder, "cert.pem"), cert);
      writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 });
      const page = resolve("tests/e2e/programs/h2_page.ts");
      const certificates = [{ cert: "cert.pem", key: "key.pem" }];
      const tls = { plugin: "tls", options: { certificates, alpn: ["h2", "http/1.1"] } };
      const listen = { "443": [tls, `http2:${page}`, `http:${page}`] };
      writeFileSync(join(folder, "berth.json"), JSON.stringify({ listen }));
      const service = new Program(
        runtimeCommand(
          "main.ts",
          ...["--config", join(folder, "berth.json"), "--publish", "0=10.7.0.2:443"],
          ...["--log-level", "warn"],
        ),
        ROOT,
      );
      try {
        const [, port] = await service.printed(/127\.0\.0\.1:(\d+)/);
        await service.printed(/Ctrl\+C/);
        await using browser = await Chromium.open("--ignore-certificate-errors");
        const tab = await browser.visit(`https://127.0.0.1:${port}/`);
        const result = await tab.evaluate(`new Promise((resolve) => {
          const look = () => window.result ? resolve(window.result) : setTimeout(look, 20);
          look();
        })`);
        expect(result).toEqual({
          numbers: Array.from({ length: 50 }, (_, i) => i).join(),
          size: "500000",
          message: "ahoy",
          protocols: "h2",
        });
        const over = await tab.evaluate(`fetch("/over").then((each) => each.text())`);
        expect(over).toBe("1");
        expect(service.log).toBe("");
      } finally {
        service.signal("SIGTERM");
        await service.finish(15_000);
        rmSync(folder, { recursive: true });
      }
    },
    90_000,
  );
});
