import { expect, test } from "bun:test";
import {
  UPGRADE_ARGUMENT,
  upgradeArguments,
  withoutUpgrade,
} from "../../../../adapters/service/upgrade/new_process.ts";

const OWN = ["--tun", "berth0"];

// Flags of the runtime are kept; a compiled program has neither a runtime nor a module.
test.each([
  [["deno", "run", "-A", "main.ts"]],
  [["bun", "main.ts"]],
  [["/usr/bin/berth"]],
])("a new process gets the arguments of %j", (runtime) => {
  const first = upgradeArguments([...runtime, ...OWN], OWN, "one");
  expect(first).toEqual([...runtime.slice(1), UPGRADE_ARGUMENT, "one", ...OWN]);
  // The next process gets another name in its place.
  const own = [UPGRADE_ARGUMENT, "one", ...OWN];
  expect(upgradeArguments([...runtime, ...own], own, "two"))
    .toEqual([...runtime.slice(1), UPGRADE_ARGUMENT, "two", ...OWN]);
});

test("the name of the socket is no argument of the service", () => {
  expect(withoutUpgrade([UPGRADE_ARGUMENT, "one", ...OWN])).toEqual({ from: "one", args: OWN });
  for (const args of [OWN, ["--help"], []]) {
    expect(withoutUpgrade(args)).toEqual({ from: undefined, args });
  }
});
