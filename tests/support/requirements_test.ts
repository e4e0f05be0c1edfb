import { describe, expect, test } from "bun:test";
import { requires, testRequiring } from "./requirements.ts";

describe("requires", () => {
  // Every machine that runs these tests has a shell.
  test("finds a program on the PATH", () => {
    expect(requires("program:sh")).toEqual({ ok: true });
  });

  // All missing requirements are named at once.
  test("names each missing requirement", () => {
    expect(requires("program:no-such-1", "program:sh", "program:no-such-2")).toEqual({
      ok: false,
      reason: "needs the program no-such-1; needs the program no-such-2",
    });
  });

  // The probe for a TUN device contains the probe for a namespace.
  test("finds no TUN device where there is no namespace", () => {
    expect(requires("namespace").ok || !requires("tun").ok).toBe(true);
  });
});

describe("testRequiring", () => {
  // The requirement is met.
  testRequiring(["program:sh"], "runs the test when nothing is missing", () => {
    expect(requires("program:sh").ok).toBe(true);
  });
});
