import { describe, expect, test } from "bun:test";
import { storedDescriptors } from "../../../../adapters/service/cli/stored_descriptors.ts";
import { keptQueues } from "../../../../adapters/service/upgrade/kept_queues.ts";

describe("descriptors of the service manager", () => {
  // Descriptors count from 3, in the order of the names; several may have one name.
  test.each([
    [{ LISTEN_PID: "7", LISTEN_FDS: "3", LISTEN_FDNAMES: "tun-a:b:tun-a" }, [
      ["tun-a", [3, 5]],
      ["b", [4]],
    ]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "tun-a:b" }, [["tun-a", [3]]]],
    [{ LISTEN_PID: "8", LISTEN_FDS: "1", LISTEN_FDNAMES: "tun-a" }, []],
    [{ LISTEN_PID: "7", LISTEN_FDS: "-1", LISTEN_FDNAMES: "tun-a" }, []],
    [{ LISTEN_PID: "7", LISTEN_FDS: "x", LISTEN_FDNAMES: "tun-a" }, []],
    [{ LISTEN_FDS: "1", LISTEN_FDNAMES: "tun-a" }, []],
    [{}, []],
  ])("are found by name in %j", (environment, expected) => {
    expect([...storedDescriptors(environment, 7)]).toEqual(
      expected as [string, readonly number[]][],
    );
  });

  // Another device has no descriptors; each worker needs a queue.
  test("are the queues of a device", () => {
    const stored = new Map([["tun-a", [3, 4]]]);
    expect(keptQueues("a", 2, stored)).toEqual([3, 4]);
    expect(keptQueues("b", 2, stored)).toEqual([]);
    expect(() => keptQueues("a", 1, stored)).toThrow("workers: the service manager has kept a");
  });
});
