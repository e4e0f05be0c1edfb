import { describe, expect, test } from "bun:test";
import { ChangingService } from "../reload/reload_support.ts";
import { bytes } from "../../../support/conversation.ts";

const CONFIG = { listen: { "7": "echo", "8081": "readyz" }, graceMs: 0 };

/** The status line and the body that a health check gets. */
async function check(service: ChangingService): Promise<string> {
  const connection = await service.connect(8081);
  await connection.write(bytes("GET /readyz HTTP/1.0\r\n\r\n"));
  let text = "";
  const chunk = new Uint8Array(1000);
  for (let size = 1; size > 0; text += new TextDecoder().decode(chunk.subarray(0, size))) {
    size = await connection.read(chunk) ?? 0;
  }
  return `${text.slice(9, 12)} ${text.slice(text.indexOf("{"))}`;
}

describe("readyz", () => {
  // The answer passes through the stack; while the service is a lame duck, SYNs are still accepted.
  test("answers 200, then 503 while the service is a lame duck", async () => {
    await using service = await ChangingService.start({ ...CONFIG, lameDuckMs: 2000 });
    expect(await check(service)).toBe('200 {"ready":true}');
    await service.service.drain();
    expect(service.service.state).toBe("lame duck");
    expect(await check(service)).toBe('503 {"ready":false,"reason":"lame duck"}');
    await service.service.stop();
    expect(service.service.state).toBe("draining");
  });

  // A plugin without options takes none.
  test("takes no argument", async () => {
    await expect(ChangingService.start({ listen: { "8081": "readyz:x" } })).rejects.toThrow(
      "readyz takes no argument, got x",
    );
  });
});
