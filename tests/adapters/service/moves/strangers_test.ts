import { connect } from "node:net";
import { describe, expect, test } from "bun:test";
import { ServiceMoves } from "../../../../adapters/service/moves/service_moves.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

describe("moves.listen", () => {
  // A hundred connections from a client without the secret cause a few lines, not one for each.
  test("limits the lines about strangers", async () => {
    using folder = new TemporaryFolder();
    const secretFile = folder.write("secret", "0123456789abcdef0123456789abcdef");
    const path = folder.file("moves.sock");
    const [link] = linkPair();
    await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
    const lines: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => void lines.push(message) };
    const moves = new ServiceMoves(stack, { listen: { path }, secretFile }, log);
    await moves.listen();
    for (let i = 0; i < 100; i++) {
      await new Promise<void>((resolve) => {
        const socket = connect(path);
        socket.on("error", () => {}).on("close", () => resolve()).resume();
        socket.on("connect", () => socket.end("nonsense".repeat(100)));
      });
    }
    expect(lines.filter((line) => line === "another service was refused").length).toBe(5);
    moves.close();
  });
});
