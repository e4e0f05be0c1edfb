import { describe, expect, test } from "bun:test";
import { httpOptionsSchema } from "../../../plugins/http/options.ts";
import { RequestReader } from "../../../plugins/http/request_reader.ts";
import { HttpRefusal } from "../../../plugins/shared/http/refusal.ts";
import { Input } from "../../../plugins/shared/http/input.ts";
import { settle, socketPair } from "../../support/fake_socket.ts";

/** A reader, and a client that sends text. */
function requestReader() {
  const { client, server } = socketPair();
  const input = new Input(server);
  const reader = new RequestReader({
    options: httpOptionsSchema.parse({ maxBodyBytes: 10 }),
    authority: "berth.test",
    scheme: "http",
    source: { input, fill: () => input.fill(), sendContinue: () => Promise.resolve() },
  });
  return {
    reader,
    input,
    async send(text: string) {
      await client.write(new TextEncoder().encode(text));
      await settle();
      await input.fill();
    },
  };
}

const HEAD = "GET /path HTTP/1.1\r\nhost: berth.test\r\n\r\n";

describe("RequestReader", () => {
  // Half a head, then the rest and the beginning of the next.
  test("takes complete heads out of the input", async () => {
    const { reader, input, send } = requestReader();
    await send(HEAD.slice(0, 9));
    expect(reader.next(true)).toBe(undefined);
    await send(`${HEAD.slice(9)}GET`);
    expect(reader.next(false)).toMatchObject({ url: "http://berth.test/path" });
    expect(input.length).toBe(3);
  });

  // From the second request on, the checked head is returned again.
  test("checks identical heads once", async () => {
    const { reader, send } = requestReader();
    const requests = [];
    for (let i = 0; i < 4; i++) {
      await send(HEAD);
      requests.push(reader.next(true));
    }
    expect(requests[2]).toBe(requests[1]);
    expect(requests[3]).toBe(requests[1]);
  });

  // A body of 11 bytes where the limit is 10.
  test("refuses a request", async () => {
    const { reader, send } = requestReader();
    await send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n");
    const refusal = reader.next(true);
    expect(refusal).toBeInstanceOf(HttpRefusal);
    expect((refusal as HttpRefusal).status).toBe(413);
  });
});
