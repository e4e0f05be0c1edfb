import { describe, expect, test } from "bun:test";
import { helpText } from "../../../../adapters/service/cli/help.ts";

describe("helpText", () => {
  // It is read in a terminal of the usual width.
  test("has lines of fewer than 100 columns", () => {
    expect(Math.max(...helpText().split("\n").map((line) => line.length))).toBeLessThan(100);
  });

  // Every flag, in the order of the table.
  test("lists every flag", () => {
    const flags = [...helpText().matchAll(/^ {2}--([a-z-]+)/gm)].map(([, flag]) => flag);
    expect(flags).toEqual([
      ...[
        "config",
        "check-config",
        "watch",
        "state",
        "tun",
        "link",
        "capture",
        "impair",
        "address",
        "host-address",
      ],
      ...["except-address", "mtu", "workers", "all-processors", "profile", "listen", "publish"],
      ...[
        "admin",
        "metrics",
        "log-level",
        "log-format",
        "log-file",
        "access-log-file",
        "help",
        "version",
      ],
    ]);
  });

  // A short flag has its explanation beside it, a long one below; defaults are appended, and lines
  // of examples are kept.
  test("lays out flags and explanations in two columns", () => {
    const help = helpText();
    expect(help).toContain(
      "\n  --mtu N                    largest IP packet in bytes; default 1500\n",
    );
    expect(help).toMatch(/\n {2}--publish \[udp\/\]\S+ \*\n {29}connect a port/);
    expect(help).toMatch(/\n {31}'\*=echo' {21}every port that has no other plugin\n/);
  });
});
