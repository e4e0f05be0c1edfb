import { describe, expect, test } from "bun:test";
import { requireProcessors } from "../../../../adapters/service/workers/processors.ts";

const STATUS = "/proc/self/status";
const GROUPS = "/proc/self/cgroup";
const EIGHT = "Name:\tberth\nCpus_allowed_list:\t0-3,8-11\n";

/** What is said about `workers` on a machine with these files; `undefined`: nothing. */
function said(workers: number, files: Readonly<Record<string, string>>): string | undefined {
  try {
    requireProcessors(workers, { read: (path) => files[path], parallelism: () => 16 });
    return undefined;
  } catch (error) {
    expect((error as Error).name).toBe("UsageError");
    return (error as Error).message;
  }
}

describe("requireProcessors", () => {
  // Eight processors: the ninth worker would take turns with the others.
  test("refuses more workers than the affinity has processors", () => {
    expect(said(8, { [STATUS]: EIGHT })).toBeUndefined();
    expect(said(9, { [STATUS]: EIGHT })).toBe(
      "--workers 9: this process may use 8 processors (its affinity, or all that the machine has), " +
        "and more workers than that are slower: use --workers 8, or let it use more",
    );
  });

  // A container with `--cpus 1.5`: the second worker has half a processor.
  test("refuses more workers than a quota of version 2 allows", () => {
    const files = {
      [STATUS]: EIGHT,
      [GROUPS]: "0::/box/inner\n",
      "/sys/fs/cgroup/box/inner/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/box/cpu.max": "150000 100000\n",
    };
    expect(said(2, files)).toBeUndefined();
    expect(said(3, files)).toContain("may use 2 processors (a quota of 1.5)");
  });

  // The same with the hierarchies of version 1, whose path may not exist in a container.
  test("refuses more workers than a quota of version 1 allows", () => {
    const files = {
      [STATUS]: EIGHT,
      [GROUPS]: "9:memory:/a\n4:cpu,cpuacct:/docker/a:b\n0::/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    };
    expect(said(2, files)).toContain("may use 1 processor (a quota of 0.5)");
    expect(said(2, files)).toContain("omit --workers");
    expect(said(2, { ...files, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" })).toBeUndefined();
  });

  // Deno without --allow-all may not read these files.
  test("believes the runtime where there is nothing else", () => {
    expect(said(16, {})).toBeUndefined();
    expect(said(17, {})).toContain("may use 16 processors (as the runtime says)");
    const garbage = { [STATUS]: "Name:\tberth\n", [GROUPS]: "garbage\n\n::\n" };
    expect(said(17, garbage)).toContain("may use 16 processors");
  });

  // This machine's files.
  test("accepts one worker here", () => {
    expect(requireProcessors(1)).toBeUndefined();
  });
});
