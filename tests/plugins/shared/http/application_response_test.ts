import { describe, expect, test } from "bun:test";
import {
  checkSendable,
  discardResponse,
  isSendable,
} from "../../../../plugins/shared/http/application_response.ts";
import { settle } from "../../../support/fake_socket.ts";

describe("application responses", () => {
  // Response.error() has status 0.
  test.each([
    ["200", new Response("ahoy"), true],
    ["101", new Response(null, { status: 101 }), true],
    ["Response.error()", Response.error(), false],
    ["a string", "ahoy", false],
    ["nothing", undefined, false],
  ])("isSendable() of %s", (_name, response, expected) => {
    expect(isSendable(response)).toBe(expected);
    if (expected) expect(checkSendable(response)).toBe(response as Response);
    else expect(() => checkSendable(response)).toThrow("did not return a Response to send");
  });

  // The source of the body is cancelled, unless the body is being read.
  test("discardResponse() cancels the body", async () => {
    let cancelled = 0;
    const body = () => new ReadableStream({ cancel: () => void cancelled++ });
    discardResponse(new Response(body()));
    const locked = new Response(body());
    locked.body?.getReader();
    discardResponse(locked);
    discardResponse(new Response(null));
    await settle();
    expect(cancelled).toBe(1);
  });
});
