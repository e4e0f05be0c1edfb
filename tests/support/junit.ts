/**
 * Counts the tests of a JUnit report as Deno and Bun write it.
 *
 * @module
 */

/** The number of tests by outcome. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface TestCase {
  /** With the names of the groups around it on Deno. */
  readonly name: string;
  /** The file, which only Bun reports. */
  readonly file: string | undefined;
  /** What the report says below it: the message of a failure. */
  readonly body: string;
  readonly outcome: keyof Tally;
  /** Whether the failure only reports that a nested test failed. */
  readonly repeatsFailure: boolean;
}

/**
 * Counts every test once. Deno reports a group (`describe`) as a test of its own beside the tests
 * in it, whose names begin with the group's and `" > "`: a group counts only if it failed by
 * itself, as by a failing `afterAll`.
 */
export function tallyJUnit(report: string): Tally {
  const cases = [...testCases(report)];
  const groups = new Set(cases.flatMap((testCase) => groupsAround(testCase.name)));
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, outcome, repeatsFailure } of cases) {
    const isGroup = groups.has(name) && (outcome !== "failed" || repeatsFailure);
    if (!isGroup) tally[outcome]++;
  }
  return tally;
}

/** Adds tallies up. */
export function sum(tallies: readonly Tally[]): Tally {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
  }
  return total;
}

/** `"12 passed, 0 failed"`, followed by `", 3 skipped"` if any were skipped. */
export function describeTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}

/** The names of the failed tests and their files, each with its message. */
export function describeFailures(report: string): string {
  const failed = [...testCases(report)].filter(({ outcome, repeatsFailure }) =>
    outcome === "failed" && !repeatsFailure
  );
  return failed.map(({ name, file, body }) => {
    const [, attribute = "", text = ""] = FAILURE.exec(body) ?? [];
    const path = [...(file === undefined ? [] : [file]), name].join(" > ");
    return `FAILED ${unescaped(path)}\n${unescaped(`${attribute}\n${text}`).trim()}\n`;
  }).join("\n");
}

const FAILURE = /<(?:failure|error)(?:[^>]*? message="([^"]*)")?[^>]*?(?:\/>|>([^]*?)<\/)/;

function unescaped(text: string): string {
  const characters: Readonly<Record<string, string>> = {
    amp: "&",
    apos: "'",
    gt: ">",
    lt: "<",
    quot: '"',
  };
  return text.replaceAll(
    /&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi,
    (all, decimal, hex, name) =>
      decimal !== undefined
        ? String.fromCodePoint(Number(decimal))
        : hex !== undefined
        ? String.fromCodePoint(parseInt(hex, 16))
        : characters[name] ?? all,
  );
}

function* testCases(report: string): Generator<TestCase> {
  // Attribute values hold no ">" (it is escaped there), so that a tag ends at the first one.
  for (const [, attributes = "", body = ""] of report.matchAll(TEST_CASE)) {
    yield {
      name: / name="([^"]*)"/.exec(attributes)?.[1] ?? "",
      file: / file="([^"]*)"/.exec(attributes)?.[1],
      body,
      outcome: /<(failure|error)[\s>/]/.test(body)
        ? "failed"
        : /<skipped[\s>/]/.test(body)
        ? "skipped"
        : "passed",
      repeatsFailure: /<failure message="\d+ test steps? failed/.test(body),
    };
  }
}

const TEST_CASE = /<testcase((?:\s+[\w:-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;

function groupsAround(name: string): string[] {
  const parts = name.split(" &gt; ");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join(" &gt; "));
}
