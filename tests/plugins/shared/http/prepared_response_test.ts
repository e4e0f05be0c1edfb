import { describe, expect, test } from "bun:test";
import type { UpgradableEnv } from "../../../../plugins/shared/http/env.ts";
import {
  type ContentSource,
  isPrepared,
  type Prepared,
  respondPrepared,
  takePrepared,
  TAKES_PREPARED,
} from "../../../../plugins/shared/http/prepared_response.ts";
import { serve } from "../../http/support.ts";
import { settle } from "../../../support/fake_socket.ts";

const FIELDS = ["content-type", "text/plain", "content-length", "5"];

function prepared(text = "ahoy!"): Prepared {
  return { status: 200, fields: FIELDS, content: new TextEncoder().encode(text) };
}

/** `size` bytes, each with the low byte of its position; fails after `failsAfter` bytes. */
class Source implements ContentSource {
  closed = 0;
  readonly #size: number;
  readonly #failsAfter: number;
  #at = 0;

  constructor(size: number, failsAfter = Infinity) {
    this.#size = size;
    this.#failsAfter = failsAfter;
  }

  get left(): number {
    return this.#size - this.#at;
  }

  read(target: Uint8Array): number {
    if (this.#at >= this.#failsAfter) throw new Error("the disk is gone");
    const count = Math.min(target.length, this.left, 50_000);
    for (let i = 0; i < count; i++) target[i] = this.#at++;
    return count;
  }

  close(): void {
    this.closed++;
  }
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

function respondFrom(source: Source): Response {
  const fields = ["content-length", String(source.left)];
  return respondPrepared({ status: 200, fields, content: source });
}

describe("respondPrepared", () => {
  // All properties and methods of Fetch, since an application may wrap the response of another one.
  test("behaves like a Response", async () => {
    const make = () => respondPrepared(prepared());
    expect(make()).toBeInstanceOf(Response);
    const { status, statusText, ok, type, url, redirected, bodyUsed } = make();
    expect([status, statusText, ok, type, url]).toEqual([200, "", true, "default", ""]);
    expect([redirected, bodyUsed]).toEqual([false, false]);
    expect([...make().headers]).toEqual([["content-length", "5"], ["content-type", "text/plain"]]);
    expect(await make().text()).toBe("ahoy!");
    expect(new Uint8Array(await make().arrayBuffer())).toEqual(
      prepared().content as Uint8Array<ArrayBuffer>,
    );
    expect(await (await make().blob()).text()).toBe("ahoy!");
    expect(await new Response(make().body, make()).text()).toBe("ahoy!");
    const read = make();
    expect(await read.clone().text()).toBe("ahoy!");
    await read.text();
    expect(read.bodyUsed).toBe(true);
    await expect(read.text()).rejects.toThrow(TypeError);
  });

  // A response that was read or changed is sent in its current state.
  test("is an ordinary Response once something was read", async () => {
    const untouched = takePrepared(respondPrepared(prepared()));
    expect(isPrepared(untouched)).toBe(true);
    const changed = respondPrepared(prepared());
    changed.headers.set("x-seen", "1");
    const response = takePrepared(changed) as Response;
    expect(isPrepared(response)).toBe(false);
    expect(response.headers.get("x-seen")).toBe("1");
    expect(await response.text()).toBe("ahoy!");
  });
});

describe("a prepared response behind http", () => {
  test("is sent with its fields", async () => {
    const { send, received } = serve(() => respondPrepared(prepared()));
    await send(GET);
    expect(received()).toBe(
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: *\r\ncontent-length: 5\r\n\r\nahoy!",
    );
  });

  test("is sent as changed by the application", async () => {
    const { send, received } = serve(() => {
      const response = respondPrepared(prepared());
      response.headers.set("content-type", "text/html");
      return response;
    });
    await send(GET);
    expect(received()).toContain("content-type: text/html\r\n");
  });

  // RFC 9110 9.3.2
  test("has no content in the answer to HEAD, and its source is closed", async () => {
    const source = new Source(1000);
    const { send, received } = serve(() => respondFrom(source));
    await send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(received()).toBe("HTTP/1.1 200 OK\r\ndate: *\r\ncontent-length: 1000\r\n\r\n");
    expect(source.closed).toBe(1);
  });

  // 300,000 bytes through a socket with room for 16,384: read only as fast as they are accepted.
  test("is read from its source byte by byte as the client accepts it", async () => {
    const source = new Source(300_000);
    const { send, client } = serve(() => respondFrom(source), {
      collect: false,
      pair: { bufferSize: 16_384 },
    });
    await send(GET);
    expect(source.left).toBeGreaterThan(200_000);
    const chunk = new Uint8Array(4096);
    let head = "";
    let at = 0;
    let mismatches = 0;
    while (at < 300_000) {
      const count = await client.read(chunk);
      let from = 0;
      while (!head.endsWith("\r\n\r\n")) head += String.fromCharCode(chunk[from++]!);
      for (; from < count!; from++, at++) if (chunk[from] !== (at & 255)) mismatches++;
    }
    await settle();
    expect([mismatches, source.left, source.closed]).toEqual([0, 0, 1]);
  });

  // RFC 9112 8: a part must not look like the whole.
  test("aborts the connection if its source fails", async () => {
    const source = new Source(300_000, 100_000);
    const { send, client } = serve(() => respondFrom(source));
    await send(GET);
    await expect(client.closed).rejects.toThrow();
    expect(source.closed).toBe(1);
  });

  test("closes its source if the client goes away", async () => {
    const source = new Source(300_000);
    const { send, client, finished } = serve(() => respondFrom(source), {
      collect: false,
      pair: { bufferSize: 16_384 },
    });
    await send(GET);
    client.abort();
    await finished.catch(() => {});
    expect(source.closed).toBe(1);
  });

  // Only a server that accepts prepared responses says so. Other servers would look for the private state of a
  // Response.
  test("is announced in the env", async () => {
    let isTaken: unknown;
    const { send } = serve((_, env) => {
      isTaken = (env as Partial<UpgradableEnv>)[TAKES_PREPARED];
      return respondPrepared(prepared());
    });
    await send(GET);
    expect(isTaken).toBe(true);
  });
});
