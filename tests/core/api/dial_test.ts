import { describe, expect, test } from "bun:test";
import { formatDialTarget, parseDialTarget } from "../../../core/api/dial.ts";

describe("a target as text", () => {
  // What is read is written the same.
  test.each([
    ["10.0.0.9:80", { hostname: "10.0.0.9", port: 80 }],
    ["[fd00::9]:80", { hostname: "fd00::9", port: 80 }],
    ["name:80", { hostname: "name", port: 80 }],
    ["unix:/run/app.sock", { path: "/run/app.sock" }],
    ["unix:app:1.sock", { path: "app:1.sock" }],
  ])("%s can be read", (text, target) => {
    expect(parseDialTarget(text)).toEqual(target);
    expect(formatDialTarget(target)).toBe(text);
  });

  // No port, no path, or none that the kernel takes.
  test.each(["10.0.0.9", "10.0.0.9:0", "unix:", "unix:a\0b", "/run/app.sock", ""])(
    "%j is none",
    (text) => expect(parseDialTarget(text)).toBeUndefined(),
  );
});
