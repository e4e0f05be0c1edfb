import { describe, expect, test } from "bun:test";
import { suggestionFor } from "../../../core/api/suggestion.ts";

describe("suggestionFor", () => {
  const names = ["tun", "tap", "link", "listen", "publish", "hostAddresses", "keepAliveMs"];

  // A letter missing, extra, wrong or swapped; case is ignored.
  test.each([
    ["lisen", "listen"],
    ["listten", "listen"],
    ["publich", "publish"],
    ["lsiten", "listen"],
    ["hostaddresses", "hostAddresses"],
    ["keepaliveMS", "keepAliveMs"],
    ["tunn", "tun"],
    ["ta", undefined],
    ["echo", undefined],
    ["", undefined],
    ["a".repeat(100), undefined],
  ])("takes %s for %s", (name: string, meant: string | undefined) => {
    expect(suggestionFor(name, names)).toBe(meant!);
  });
});
