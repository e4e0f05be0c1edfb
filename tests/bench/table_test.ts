import { describe, expect, test } from "bun:test";
import { formatFigures } from "./table.ts";

const MACHINE = { runtime: "Deno 2", cpu: "a CPU", cores: 2, memoryGiB: 24, kernel: "6" };
const OLD = `
- 2 cores of another CPU, 24 GiB, Linux 5
- Deno 1

### memory

|     | bytes |
| --- | ----- |
| Deno 1 | 7  |

### around: HTTP

old figures
`;

function result(benchmark: string, figures: object) {
  return { benchmark, machine: MACHINE, ...figures };
}

describe("formatFigures", () => {
  // A column for each target. Figures that were not measured again stay, with the machine on which they were
  // measured.
  test("replaces the benchmarks that were measured", () => {
    const row = { load: "hello", unit: "per s" };
    const text = formatFigures([
      result("around: HTTP", { ...row, target: "berth", median: 5, least: 4, most: 6 }),
      result("around: HTTP", { ...row, target: "nginx", failures: ["refused"] }),
    ], OLD);
    expect(text).toBe(`- 2 cores of another CPU, 24 GiB, Linux 5
- Deno 1
- 2 cores of a CPU, 24 GiB, Linux 6
- Deno 2

### memory

|     | bytes |
| --- | ----- |
| Deno 1 | 7  |

### around: HTTP

|              | berth      | nginx    |
| ------------ | ---------- | -------- |
| hello, per s | 5 (4 to 6) | 1 failed |`);
  });

  test("names only the machine of the figures that it shows", () => {
    const all = [result("memory", { bytes: 8 }), result("around: HTTP", { per: 1 })];
    const [machine] = formatFigures(all, OLD).split("\n\n");
    expect(machine).toBe("- 2 cores of a CPU, 24 GiB, Linux 6\n- Deno 2");
  });
});
