import { describe, expect, test } from "bun:test";
import type { TcpSocket } from "../../core/api/types.ts";
import { chargen } from "../../plugins/chargen.ts";
import { socketPair, testContext } from "../support/fake_socket.ts";

const nothing = () => Promise.resolve();

async function readText(socket: TcpSocket, length = Infinity): Promise<string> {
  let text = "";
  for await (const chunk of socket) {
    text += new TextDecoder().decode(chunk);
    if (text.length >= length) break;
  }
  return text;
}

describe("chargen", () => {
  // The pattern that the RFC recommends: 72 of 95 characters per line, shifted by one each line.
  test("sends the pattern of RFC 864, which repeats after 95 lines", async () => {
    const { client, server } = socketPair();
    const served = chargen({ limit: 97 * 74 }).handle!(testContext(server).context, nothing);
    const text = await readText(client);
    await client.closeWrite();
    await served;
    const lines = text.split("\r\n");
    expect(lines.length).toBe(98);
    expect(lines[0]).toBe(
      " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg",
    );
    expect(lines[1]).toBe(
      "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh",
    );
    expect(lines[94]!.slice(0, 3)).toBe("~ !");
    expect(lines[95]).toBe(lines[0]!);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([72, 0]));
  });

  // The limit is within a line.
  test("sends no more than its limit, then FIN", async () => {
    const { client, server } = socketPair();
    const served = chargen({ limit: 100 }).handle!(testContext(server).context, nothing);
    expect((await readText(client)).length).toBe(100);
    await client.closeWrite();
    await served;
  });

  // "This continues until the calling user terminates the connection."
  test("ends when the client closes its side, whatever it sent", async () => {
    const { client, server } = socketPair({ bufferSize: 1000 });
    const served = chargen().handle!(testContext(server).context, nothing);
    await client.write(new Uint8Array(100_000));
    await client.closeWrite();
    const read = readText(client);
    await served;
    expect((await read).length).toBeGreaterThan(0);
  });

  // No unhandled rejection remains.
  test("ends when the client resets", async () => {
    const { client, server } = socketPair({ bufferSize: 1000 });
    const served = chargen().handle!(testContext(server).context, nothing) as Promise<void>;
    client.abort();
    await expect(served).rejects.toThrow("reset");
  });

  // The limit has to be a number of bytes, or be left out.
  test("refuses an invalid limit", () => {
    expect(() => chargen({ limit: -1 })).toThrow(/^chargen: options\.limit: /);
  });
});
