import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, startService, V4 } from "./service.ts";

describe("--capture", () => {
  // Wireshark's capture program reads packets from the FIFO while the service runs.
  testRequiring(
    [...NEEDS, "program:curl", "program:mkfifo", "program:tshark"],
    "writes packets to a FIFO live",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "berth-"));
      const fifo = join(folder, "live");
      try {
        execFileSync("mkfifo", [fifo]);
        await using namespace = await Namespace.open();
        const fields = ["frame.comment", "frame.packet_flags_direction"].flatMap((
          it,
        ) => ["-e", it]);
        const options = [
          "-l",
          "-T",
          "fields",
          "-Y",
          "frame.comment || http.response",
          "-e",
          "_ws.col.Info",
        ];
        const reader = namespace.start("tshark", "-i", fifo, ...options, ...fields);
        const service = await startService(namespace, "--capture", fifo);
        const length = await namespace.shell(`curl -s http://${V4}/bytes/100000 | wc -c`);
        expect(length).toBe("100000\n");
        await reader.printed(
          /80 \[SYN\].*tcp 10\.90\.0\.1:\d+ > 10\.90\.0\.2:80 http\S*\t0x00000001\n/,
        );
        await reader.printed(/HTTP\/1\.1 200 OK.*\t0x00000002\n/);
        service.signal("SIGTERM");
        expect(await service.finish(15_000)).toMatchObject({ exit: 0, log: "" });
        expect((await reader.finish(15_000)).exit).toBe(0);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );
});
