import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { ROOT, sourceFiles } from "./support/source_files.ts";

const page = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8");
/** The messages in headings; "…" stands for what differs. */
const messages = [...page.matchAll(/^### (.*)$/gm)].flatMap(([, heading]) =>
  [...heading!.matchAll(/`([^`]+)`/g)].map(([, message]) => message!)
);

/** The text of string literals, as readers see it: concatenated, with nothing for what is inserted. */
const literals = sourceFiles("core", "adapters", "plugins").map(({ text }) =>
  text.replace(/["'`] \+\s*["'`]/g, "").replace(/\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}/g, "")
).join("\n");

describe("docs/troubleshooting.md", () => {
  // A reader searches the page for the message on the screen.
  test.each(messages)("%s is a message of the source", (message: string) => {
    const parts = message.split("…").map((part) => part.trim()).filter((part) => part !== "");
    expect(parts.filter((part) => !literals.includes(part))).toEqual([]);
  });

  test("has messages", () => {
    expect(messages.length).toBeGreaterThan(10);
  });
});
