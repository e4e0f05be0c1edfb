import { describe, expect, test } from "bun:test";
import process from "node:process";
import { runtimeName } from "../../../adapters/runtime/runtime.ts";

describe("runtimeName", () => {
  // Each runtime has its name among its versions.
  test("names the runtime", () => {
    expect(process.versions[runtimeName()]).toBeDefined();
  });
});
