import { describe, expect } from "bun:test";
import { resolve } from "node:path";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, withConfiguredService } from "./service.ts";

const APP = resolve("tests/e2e/programs/app.ts");
const config = { listen: { "8080": [`http2:${APP}`, `http:${APP}`] } };
const URL = `http://${V4}:8080`;

describe("h2load", () => {
  // Each run ends with GOAWAY on 8 connections with 128 open streams, all of which are served.
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
