import { expect, test } from "bun:test";
import { sumCounters } from "../../../../adapters/service/workers/counters.ts";

// A reason to drop packets that only one shard knows counts as well.
test("sumCounters adds what has the same name", () => {
  expect(sumCounters([{ packetsIn: 3, linkFull: 0 }, { packetsIn: 4, "drop.ip-short": 1 }]))
    .toEqual({ packetsIn: 7, linkFull: 0, "drop.ip-short": 1 });
});
