import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, programCommand, startService, V4 } from "./service.ts";

describe("a client that checks its connect() late", () => {
  // SYN, SYN,ACK, ACK, text and FIN, all before the client checks: a RST after them would leave
  // EPIPE as the error of a successful connection.
  testRequiring(NEEDS, "finds no error, all the text and its end", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace, "--listen", "13=daytime");
    const out = await namespace.run(programCommand("late_connect.ts", V4, "13", "200"), 30_000);
    expect(out).toBe("200 x error none, text true, EOF\n");
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);
});
