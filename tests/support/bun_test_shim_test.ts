import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from "bun:test";

// The behaviour that the other tests rely on, the same on both runtimes.
describe("hooks", () => {
  const trace: string[] = [];
  beforeAll(() => void trace.push("beforeAll"));
  beforeEach(async () => {
    await Promise.resolve();
    trace.push("beforeEach");
  });
  afterEach(() => void trace.push("afterEach"));
  afterAll(() => {
    expect(trace.at(-1)).toBe("afterEach");
  });

  test("run before the first test", () => {
    expect(trace).toEqual(["beforeAll", "beforeEach"]);
  });

  it("run around every test", () => {
    expect(trace).toEqual(["beforeAll", "beforeEach", "afterEach", "beforeEach"]);
  });
});

describe("test.each", () => {
  // A row that is an array is spread; anything else is the only argument.
  test.each([[1, 2], [2, 3]])("spreads %d and %d", (a, b) => {
    expect(b - a).toBe(1);
  });

  test.each(["FIN", "RST"])("hands over %s", (flag) => {
    expect(flag).toMatch(/^[A-Z]{3}$/);
  });
});

describe("expect", () => {
  // Rejections and errors of a subclass, as tests of sockets use them.
  test("waits for rejections", async () => {
    await expect(Promise.reject(new TypeError("SocketError: reset"))).rejects.toThrow("reset");
    expect(() => new Uint8Array(-1)).toThrow(RangeError);
  });

  test("compares bytes by value", () => {
    expect(new Uint8Array([1, 2])).toEqual(new Uint8Array([1, 2]));
    expect(new Uint8Array([1, 2])).not.toEqual(new Uint8Array([1, 3]));
  });
});
