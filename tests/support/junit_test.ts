import { describe, expect, test } from "bun:test";
import { describeFailures, describeTally, sum, tallyJUnit } from "./junit.ts";

describe("tallyJUnit", () => {
  // Deno: a group is a testcase of its own, failed because a test in it failed.
  test("counts the tests of a Deno group once, the group never", () => {
    const report = `
      <testcase name="ring" time="0.1"><failure message="1 test steps failed">1 ...</failure></testcase>
      <testcase name="ring &gt; wraps" time="0.1" line="1" col="2">
      </testcase>
      <testcase name="ring &gt; is full" time="0.1"><failure message="Uncaught Error: a &gt; b"/></testcase>
      <testcase name="alone" time="0.1"><skipped/></testcase>`;
    expect(tallyJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 1 });
  });

  // A failing afterAll: every test passed, but the group failed.
  test("counts a Deno group that failed by itself", () => {
    const report = `
      <testcase name="tun"><failure message="Uncaught Error: left behind">...</failure></testcase>
      <testcase name="tun &gt; opens"></testcase>`;
    expect(tallyJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  // Bun: groups are testsuites, and passed tests have no body.
  test("counts the tests of a Bun report", () => {
    const report = `
      <testsuite name="ring" tests="3" failures="1">
        <testcase name="wraps" classname="ring" time="0.1" assertions="1" />
        <testcase name="is full" classname="ring"><failure type="TimeoutError" message="" /></testcase>
        <testcase name="later" classname="ring"><skipped /></testcase>
      </testsuite>`;
    expect(tallyJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 1 });
  });

  // The runtime crashed before it wrote its report.
  test("counts nothing in an empty report", () => {
    expect(tallyJUnit("")).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });
});

describe("describeTally", () => {
  // The line that CI parses; skipped tests are mentioned only if there are any.
  test("writes the summary line", () => {
    const all = sum([{ passed: 3, failed: 0, skipped: 0 }, { passed: 4, failed: 1, skipped: 0 }]);
    expect(describeTally(all)).toBe("7 passed, 1 failed");
    expect(describeTally({ ...all, skipped: 2 })).toBe("7 passed, 1 failed, 2 skipped");
  });
});

describe("describeFailures", () => {
  // Deno writes the message as text, Bun as an attribute; a group only repeats its tests' failures.
  test("names the failed tests with their messages", () => {
    const report = `
      <testcase name="ring"><failure message="1 test step failed">1 test step failed.</failure></testcase>
      <testcase name="ring &gt; wraps"><failure message="Error: 1 &lt; 2">at ring.ts:7</failure></testcase>
      <testcase name="is full" classname="ring" file="tests/ring_test.ts"><failure type="TimeoutError" message="timed out" /></testcase>
      <testcase name="is empty" classname="ring" />`;
    expect(describeFailures(report)).toBe(
      "FAILED ring > wraps\nError: 1 < 2\nat ring.ts:7\n\nFAILED tests/ring_test.ts > is full\ntimed out\n",
    );
  });
});
