import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { createStack } from "../../../core/api/stack.ts";
import { StackPair } from "./stack_pair.ts";

const ADDRESSES = ["10.0.0.1/24"];

describe("connect", () => {
  // For programs in JavaScript: the message says what to write.
  test.each([
    [80, "the number 80"],
    [undefined, "undefined"],
    [null, "null"],
    [{ port: 80 }, '{"port":80}'],
    [{ hostname: "10.0.0.2", port: "80" }, '{"hostname":"10.0.0.2","port":"80"}'],
    [new URL("http://10.0.0.2:80/"), "an object"],
  ])("takes no %p", async (address, shown) => {
    await using pair = new StackPair();
    expect(() => pair.client.connect(address as never)).toThrow(
      'expected an address such as "10.0.0.2:80" or { hostname: "10.0.0.2", port: 80 }, got ' +
        shown,
    );
  });
});

describe("createStack", () => {
  // Each stack needs one end of the pair.
  test("refuses a pair of links", () => {
    expect(() => createStack({ link: linkPair() as never, addresses: ADDRESSES })).toThrow(
      "createStack: link: got both ends of linkPair(): give each stack one of them, as in " +
        "const [here, there] = linkPair()",
    );
  });

  // Nothing, a function that returns a link, a promise of one, and a string.
  test.each([
    [undefined, "undefined"],
    [linkPair, "a function: call it"],
    [Promise.resolve(linkPair()[0]), "a promise: await it"],
    ["berth0", "berth0"],
  ])("refuses %p as a link", (link, shown) => {
    expect(() => createStack({ link: link as never, addresses: ADDRESSES })).toThrow(
      `createStack: link: expected a link, such as await openTun(...) or one of linkPair(), got ${shown}`,
    );
  });
});
