import { describe, expect, test } from "bun:test";
import { relayTo } from "../../../plugins/shared/upstream.ts";
import { bytes, codeOf } from "../../support/conversation.ts";
import { type FakeSocket, settle, socketPair, testContext } from "../../support/fake_socket.ts";

const nobody = new AbortController().signal;

/** A connection relayed to an upstream, in virtual time. */
function relayed(options: Parameters<typeof relayTo>[2]) {
  const { client, server } = socketPair();
  const { client: near, server: upstream } = socketPair({ bufferSize: 1000 });
  const { context, clock, lines } = testContext(server);
  const served = relayTo(near, nobody, options)(context, () => Promise.resolve());
  return { client, upstream, clock, lines, served };
}

async function take(socket: FakeSocket): Promise<string> {
  const chunk = new Uint8Array(100);
  return new TextDecoder().decode(chunk.subarray(0, await socket.read(chunk) ?? 0));
}

describe("relayTo", () => {
  // An occasional byte in one direction alone keeps the connection open; a second of silence ends
  // it.
  test("aborts both sides when neither has sent for idleTimeoutMs", async () => {
    const { client, upstream, clock, lines, served } = relayed({ idleTimeoutMs: 1000 });
    for (let i = 0; i < 4; i++) {
      await clock.advance(900);
      await (i % 2 === 0 ? client : upstream).write(bytes("."));
      await settle();
    }
    await clock.advance(999);
    expect([client.state, upstream.state]).toEqual(["ESTABLISHED", "ESTABLISHED"]);
    await clock.advance(1);
    await served;
    expect(await codeOf(client.closed)).toBe("CONNECTION_RESET");
    expect(await codeOf(upstream.closed)).toBe("CONNECTION_RESET");
    expect(lines.map(({ level }) => level)).toEqual(["debug"]);
    expect(clock.pending).toBe(0);
  });

  // The connection closes normally, and the timer is cancelled.
  test("leaves no timer behind", async () => {
    const { client, upstream, clock, served } = relayed({ idleTimeoutMs: 1000 });
    await client.closeWrite();
    await upstream.closeWrite();
    await served;
    expect(clock.pending).toBe(0);
  });

  // The header is first, whatever the client sends.
  test("sends the upstream the header before the client's first byte", async () => {
    const { client, upstream } = relayed({
      header: ({ remoteAddr }) => bytes(`from ${remoteAddr.port}\n`),
    });
    await client.write(bytes("hello"));
    await settle();
    expect(await take(upstream)).toBe("from 50000\nhello");
  });

  // The upstream does not read the header and the client leaves: the upstream is closed as well.
  test("gives up the upstream when the client leaves before the header is sent", async () => {
    const { client, upstream, served } = relayed({ header: () => new Uint8Array(2000) });
    await settle();
    client.abort();
    await served;
    expect(await codeOf(upstream.closed)).toBe("CONNECTION_RESET");
  });

  // The upstream has closed before the header is sent: the client gets a RST, not a FIN without
  // data.
  test("resets the client when the upstream does not accept the header", async () => {
    const { client, upstream, served } = relayed({ header: () => new Uint8Array(2000) });
    await settle();
    upstream.abort();
    await served;
    expect(await codeOf(client.closed)).toBe("CONNECTION_RESET");
  });
});
