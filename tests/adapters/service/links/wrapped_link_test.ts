import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../../../adapters/service/cli/arguments.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { openNetwork } from "../../../../adapters/service/links/network.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { echo } from "../../../../plugins/echo.ts";

const settingsOf = (...flags: string[]) => mergeSettings(parseArguments(flags).settings, {});

describe("--capture and --impair", () => {
  // As flags and as keys of the file.
  test("are read", () => {
    const flags = ["--capture", "a.pcapng", "--impair", "delayMs=20,queue=9,incoming.loss=0.5"];
    const file = parseConfig(
      `{ "capture": { "file": "b", "files": 3 }, "impair": { "loss": 1, "incoming": {} } }`,
      "berth.json",
    );
    expect(settingsOf(...flags)).toMatchObject({
      capture: { file: "a.pcapng" },
      impair: { delayMs: 20, queue: 9, incoming: { loss: 0.5 } },
    });
    expect(mergeSettings({}, file)).toMatchObject({
      capture: { file: "b", files: 3 },
      impair: { loss: 1, incoming: {} },
    });
  });

  // One message that says what was expected.
  test.each([
    [["--capture", ""], '--capture: file: expected "FILE" or {'],
    [["--impair", "loss"], "--impair: expected NAME=NUMBER,... such as delayMs=20"],
    [["--impair", "los=1"], "incoming.loss=0.02, got los=1"],
    [["--impair", "toString=1"], "incoming.loss=0.02, got toString=1"],
    [["--impair", "loss=2"], "--impair: loss must be from 0 to 1, not 2"],
    [["--impair", "incoming.loss=2"], "--impair: incoming.loss must be from 0 to 1, not 2"],
    [["--impair", "queue=0"], "--impair: queue: "],
    [
      ["--capture", "a", "--workers", "2", "--tun", "t", "--address", "10.7.0.2/24"],
      "--workers 2 cannot be used with --capture or --impair",
    ],
  ])("refuse %j", (flags, message) => {
    expect(() => settingsOf(...flags)).toThrow(UsageError);
    expect(() => settingsOf(...flags)).toThrow(message);
  });

  // Errors in the file have a position.
  test("are reported with their position in the file", () => {
    const read = (text: string) => () => parseConfig(text, "berth.json");
    expect(read(`{ "impair": { "los": 1 } }`)).toThrow(
      "berth.json:1:13: impair: los is not an impairment",
    );
    expect(read(`{ "capture": 7 }`)).toThrow("berth.json:1:14: capture: expected");
    expect(read(`{ "capture": { "file": "a", "maxBytes": 1 } }`)).toThrow("capture.maxBytes: ");
  });

  // The memory link's stack, with a connection through it.
  test("wrap the service's link", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-"));
    const path = join(folder, "all.pcapng");
    try {
      const flags = ["--listen", "1-1024=discard", "--listen", "7=echo", "--capture", path];
      const settings = settingsOf(...flags, "--impair", "duplicate=1,incoming.duplicate=1");
      const network = await openNetwork(settings, silentLogger);
      network.stack.use(7, echo());
      const { signal } = new AbortController();
      const socket = await network.connect({ hostname: "10.7.0.2", port: 7 }, signal);
      await socket.write(new TextEncoder().encode("ahoy"));
      const bytes = new Uint8Array(10);
      expect(await socket.read(bytes)).toBe(4);
      const stats = network.stack.stats();
      expect(stats["link.impair.duplicated"]).toBeGreaterThan(1);
      expect(stats["link.impair.incoming.duplicated"]).toBeGreaterThan(1);
      await network.stack.close();
      await network.close();
      const recorded = new TextDecoder("latin1").decode(readFileSync(path));
      expect(recorded).toMatch(/tcp 10\.7\.0\.1:\d+ > 10\.7\.0\.2:7 echo/);
      expect(recorded).toContain("ahoy");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
