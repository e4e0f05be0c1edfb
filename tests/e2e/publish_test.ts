import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, programCommand, V4, withService } from "./service.ts";

describe("--publish", () => {
  // A name server of the host, on its loopback address, answers on the stack's port 53.
  testRequiring(
    [...NEEDS, "program:dig"],
    "publishes a UDP port of the stack to the host",
    () =>
      withService(
        async (namespace) => {
          const resolver = programCommand("resolver.ts", "127.0.0.1", "5300", "192.0.2.80");
          await namespace.start(...resolver).printed(/ready/);
          const dig = ["dig", `@${V4}`, "+tries=1", "+time=5", "+short", "ship.test", "A"];
          expect(await namespace.run(dig)).toBe("192.0.2.80\n");
        },
        "--publish",
        "stack/udp/53=127.0.0.1:5300",
      ),
    30_000,
  );

  // The client half-closes before the answer: `tr` waits for the end of its input.
  testRequiring(
    [...NEEDS, "program:socat"],
    "publishes a port of the stack to a Unix socket",
    async () => {
      using folder = new TemporaryFolder();
      const path = folder.file("upper.sock");
      await withService(
        async (namespace) => {
          namespace.start("socat", `UNIX-LISTEN:${path},fork`, "SYSTEM:tr a-z A-Z");
          await namespace.shell(`until [ -S ${path} ]; do sleep 0.05; done`);
          const answer = await namespace.shell(`echo ahoy | socat -t 10 - TCP:${V4}:9000`);
          expect(answer).toBe("AHOY\n");
        },
        "--publish",
        `stack/9000=unix:${path}`,
      );
    },
    30_000,
  );

  // From the host's port through the device to the stack and back, with datagrams larger than a
  // packet.
  testRequiring(
    [...NEEDS, "program:socat"],
    "publishes a UDP port of the host to the stack",
    () =>
      withService(
        async (namespace) => {
          const letters = "head -c 5000 /dev/zero | tr '\\0' x";
          const socat = "socat -b 9000 -t 2 - UDP:127.0.0.1:7007";
          expect(await namespace.shell(`${letters} | ${socat}`)).toBe("x".repeat(5000));
        },
        ...["--listen", "udp/7=echo", "--publish", `udp/7007=${V4}:7`],
      ),
    30_000,
  );
});
