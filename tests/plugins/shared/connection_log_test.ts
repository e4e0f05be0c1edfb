import { describe, expect, test } from "bun:test";
import { createLogger } from "../../../adapters/service/log/logger.ts";
import { withFields } from "../../../core/api/environment.ts";
import type { Context } from "../../../core/api/types.ts";
import type { FlowContext } from "../../../core/api/udp/datagram.ts";
import { logConnection, logFlow } from "../../../plugins/shared/connection_log.ts";
import { settle, socketPair, testContext } from "../../support/fake_socket.ts";

/** A context whose socket and flow must not be looked at. */
const UNTOUCHED = new Proxy({}, {
  get: (_, name) => {
    throw new Error(`${String(name)} was read`);
  },
});

describe("the log of connections", () => {
  // Addresses, counters and promises of a connection are created on demand; a line that is not written must not ask
  // for them.
  test("prepares nothing for a line that is not written", async () => {
    const lines: string[] = [];
    const log = createLogger({ level: "warn", write: (line) => void lines.push(line) });
    let runs = 0;
    const next = () => Promise.resolve(void runs++);
    await logConnection(UNTOUCHED as Context, next, withFields(log, { a: 1 }), "info");
    const flow = { flow: UNTOUCHED, clock: UNTOUCHED } as FlowContext;
    await logFlow(flow, next, log, "info");
    expect([runs, lines]).toEqual([2, []]);
  });

  // The level can change while the service runs.
  test("writes lines of connections that begin at a level that is written", async () => {
    const lines: string[] = [];
    const log = createLogger({ level: "warn", write: (line) => void lines.push(line) });
    log.level = "info";
    const { server, client } = socketPair();
    const { context } = testContext(server);
    await logConnection(context, () => Promise.resolve(), log, "info");
    client.abort();
    server.abort();
    await settle();
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain(" info  connection port=80 ");
  });
});
