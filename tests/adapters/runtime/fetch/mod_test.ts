import { describe, expect, test } from "bun:test";
import { runtimeFetchPlatform } from "../../../../adapters/runtime/fetch/mod.ts";
import { fetchPlatform } from "../../../../plugins/shared/http/fetch_platform.ts";
import { fetchPlatformConformance } from "../../../plugins/shared/http/fetch_platform_conformance.ts";

fetchPlatformConformance("this runtime", runtimeFetchPlatform);

describe("the runtime's platform", () => {
  // Importing the module is enough.
  test("is registered", () => {
    expect(fetchPlatform()).toBe(runtimeFetchPlatform);
  });

  // After a change of the runtime the fast path is lost, and this test fails: see
  // docs/architecture.md.
  test("uses the internals of this version of the runtime", () => {
    const isDeno = "Deno" in globalThis;
    const { createLazyRequest, takeWholeBody } = runtimeFetchPlatform;
    expect(createLazyRequest !== undefined).toBe(isDeno);
    expect(takeWholeBody(new Response("ahoy"))).toBe(isDeno ? "ahoy" : undefined);
  });
});
