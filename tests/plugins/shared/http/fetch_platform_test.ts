import { describe, expect, test } from "bun:test";
import { STANDARD_PLATFORM } from "../../../../plugins/shared/http/fetch_platform.ts";
import { fetchPlatformConformance } from "./fetch_platform_conformance.ts";

fetchPlatformConformance("Fetch as it is specified", STANDARD_PLATFORM);

describe("the standard platform", () => {
  // Fetch does not expose the source of a body, so every body is read as a stream.
  test("does not know the source of a body", async () => {
    const response = new Response("ahoy");
    expect(STANDARD_PLATFORM.takeWholeBody(response)).toBe(undefined);
    expect(await response.text()).toBe("ahoy");
  });
});
