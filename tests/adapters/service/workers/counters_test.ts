import { expect, test } from "bun:test";
import { sumCounters } from "../../../../adapters/service/workers/counters.ts";

// Counters that only one shard has are included.
test("sumCounters adds counters by name", () => {
  expect(sumCounters([{ packetsIn: 3, linkFull: 0 }, { packetsIn: 4, "drop.ip-short": 1 }]))
    .toEqual({ packetsIn: 7, linkFull: 0, "drop.ip-short": 1 });
});
