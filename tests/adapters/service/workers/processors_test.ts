import { describe, expect, test } from "bun:test";
import { requireProcessors } from "../../../../adapters/service/workers/processors.ts";

const STATUS = "/proc/self/status";
const GROUPS = "/proc/self/cgroup";
const EIGHT = "Name:\tberth\nCpus_allowed_list:\t0-3,8-11\n";

/** The error for `workers` on a machine with these files; `undefined` if there is none. */
function said(
  workers: number,
  files: Readonly<Record<string, string>>,
  allProcessors = false,
): string | undefined {
  try {
    const machine = { read: (path: string) => files[path], parallelism: () => 16 };
    requireProcessors({ workers, allProcessors }, machine);
    return undefined;
  } catch (error) {
    expect((error as Error).name).toBe("UsageError");
    return (error as Error).message;
  }
}

describe("requireProcessors", () => {
  // Eight processors: the eighth worker would have to share its processor with the kernel and the clients.
  test("refuses workers that leave no processor of the affinity to others", () => {
    expect(said(7, { [STATUS]: EIGHT })).toBeUndefined();
    expect(said(8, { [STATUS]: EIGHT })).toBe(
      "--workers 8: this process may use 8 processors (its affinity, or all that the machine has), " +
        "and 8 workers need 9, one each and one for the kernel and the clients, or short requests are " +
        "slower than with one worker: use --workers 7, let it use more, or set --all-processors on if " +
        "you have measured that your load gains",
    );
    expect(said(9, { [STATUS]: EIGHT })).toMatch(/: use --workers 7, or let it use more$/);
  });

  // The user has measured that the load gains. The ninth worker would take turns with the others.
  test("accepts as many workers as processors with allProcessors", () => {
    expect(said(8, { [STATUS]: EIGHT }, true)).toBeUndefined();
    expect(said(9, { [STATUS]: EIGHT }, true)).toBe(
      "--workers 9: this process may use 8 processors (its affinity, or all that the machine has), " +
        "and more workers than that are slower: use --workers 8, or let it use more",
    );
  });

  // With two processors there is no number of workers to recommend.
  test("refuses two workers on two processors", () => {
    const files = { [STATUS]: "Cpus_allowed_list:\t0-1\n" };
    expect(said(2, files)).toMatch(/may use 2 .* 2 workers need 3, .*: omit --workers, let it use/);
    expect(said(2, files, true)).toBeUndefined();
    expect(said(1, files)).toBeUndefined();
  });

  // A container with `--cpus 3.5`: three whole processors, and with allProcessors a worker on half of one.
  test("refuses more workers than a quota of version 2 allows", () => {
    const files = {
      [STATUS]: EIGHT,
      [GROUPS]: "0::/box/inner\n",
      "/sys/fs/cgroup/box/inner/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/box/cpu.max": "350000 100000\n",
    };
    expect(said(2, files)).toBeUndefined();
    expect(said(3, files)).toContain(
      "may use 3.5 processors (a quota of 3.5), and 3 workers need 4",
    );
    expect(said(4, files, true)).toBeUndefined();
    expect(said(5, files, true)).toContain(": use --workers 4, ");
  });

  // The same with the hierarchies of version 1, whose path may not exist in a container.
  test("refuses more workers than a quota of version 1 allows", () => {
    const files = {
      [STATUS]: EIGHT,
      [GROUPS]: "9:memory:/a\n4:cpu,cpuacct:/docker/a:b\n0::/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    };
    expect(said(2, files)).toContain("may use 0.5 processors (a quota of 0.5)");
    expect(said(2, files)).toContain("omit --workers");
    expect(said(1, files)).toBeUndefined();
    expect(said(2, { ...files, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" })).toBeUndefined();
  });

  // Deno without --allow-all may not read these files.
  test("believes the runtime where there is nothing else", () => {
    expect(said(15, {})).toBeUndefined();
    expect(said(16, {})).toContain("may use 16 processors (as the runtime says)");
    const garbage = { [STATUS]: "Name:\tberth\n", [GROUPS]: "garbage\n\n::\n" };
    expect(said(16, garbage)).toContain("may use 16 processors");
  });

  // This machine's files.
  test("accepts one worker here", () => {
    expect(requireProcessors({ workers: 1, allProcessors: false })).toBeUndefined();
  });
});
