import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, runEchoClients, V4, withStack } from "./service.ts";

const CONNECTIONS = { least: 0, most: 200_000, atOnce: 100 };

describe("a client that sends and half-closes", () => {
  for (const profile of ["local", "internet"] as const) {
    for (const offload of [true, false]) {
      // Sizes up to 200 KB, a hundred connections at once: everything is echoed, then EOF.
      testRequiring(
        NEEDS,
        `gets everything, then EOF (profile ${profile}, offload ${offload ? "on" : "off"})`,
        () =>
          withStack({ profile, offload }, async (namespace) => {
            const options = { ...CONNECTIONS, connections: 500 };
            expect(await runEchoClients(namespace, options, 50_000)).toBe("500 equal\n");
          }),
        60_000,
      );
    }

    // One packet in twenty is lost in each direction.
    testRequiring(
      NEEDS,
      `gets everything, then EOF, at 5 % loss (profile ${profile})`,
      () =>
        withStack({ profile, offload: false, loss: 0.05 }, async (namespace) => {
          const options = { ...CONNECTIONS, connections: 500 };
          expect(await runEchoClients(namespace, options, 50_000)).toBe("500 equal\n");
        }),
      60_000,
    );
  }
});

describe("a server that closes first", () => {
  for (const profile of ["local", "internet"] as const) {
    for (const loss of [0, 0.05]) {
      // HTTP/1.0 without a length: EOF ends the body; a reset would be an error.
      testRequiring(
        [...NEEDS, "program:curl"],
        `sends everything, then EOF, at ${loss * 100} % loss (profile ${profile})`,
        () =>
          withStack({ profile, offload: false, loss }, async (namespace) => {
            const url = `http://${V4}/chunked/[100001-100300]`;
            const flags = "-sS -f --http1.0 --parallel --parallel-max 50 -o /dev/null";
            const printed = "--write-out '%{exitcode} %{size_download}\\n'";
            const lines = await namespace.shell(`curl ${flags} ${printed} '${url}'`, 50_000);
            const expected = Array.from({ length: 300 }, (_, index) => `0 ${100_001 + index}`);
            expect(lines.trim().split("\n").sort()).toEqual(expected);
          }),
        60_000,
      );
    }
  }
});
