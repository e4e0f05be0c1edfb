import { describe, expect, test } from "bun:test";
import { completionFor } from "../../../../adapters/service/cli/completion.ts";
import { helpText } from "../../../../adapters/service/cli/help.ts";
import { Program } from "../../../support/program.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
const flags = [...helpText().matchAll(/^ {2}--([a-z-]+)/gm)].map(([, flag]) => flag!);

/** The completions that bash offers for the last of `words`. */
async function offered(...words: string[]): Promise<string[]> {
  using folder = new TemporaryFolder();
  const script = folder.write(
    "complete.sh",
    `${completionFor("bash")}
COMP_WORDS=(berth "$@"); COMP_CWORD=$#; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`,
  );
  const { out } = await new Program(["bash", script, ...words], folder.path).ended;
  return out.split("\n").filter((line) => line !== "");
}

describe("completion", () => {
  // Every flag of --help, and the commands.
  test.each(SHELLS)("for %s has every flag and command", (shell) => {
    const script = completionFor(shell);
    for (const flag of flags) {
      expect(script).toContain(shell === "fish" ? `-l ${flag} ` : `--${flag}`);
    }
    for (const command of ["check", "status", "drain"]) expect(script).toContain(command);
  });

  testRequiring(["program:bash"], "offers flags, their values and commands in bash", async () => {
    expect(await offered("--lo")).toEqual(["--log-level", "--log-format", "--log-file"]);
    expect(await offered("--log-level", "")).toEqual(["debug", "info", "warn", "error", "off"]);
    expect(await offered("--profile", "i")).toEqual(["internet"]);
    expect(await offered("st")).toEqual(["status"]);
    expect(await offered("--config", "comp")).toEqual(["complete.sh"]);
    expect(await offered("--mtu", "")).toEqual([]);
    expect(await offered("completion", "f")).toEqual(["fish"]);
  });

  // Commands that look into a running service have flags of their own.
  testRequiring(["program:bash"], "offers the tools and their flags in bash", async () => {
    expect(await offered("to")).toEqual(["top"]);
    expect(await offered("ss", "--nu")).toEqual(["--numeric"]);
    expect(await offered("trace", "--verb")).toEqual(["--verbose"]);
    expect(await offered("capture", "--write", "comp")).toEqual(["complete.sh"]);
    expect(await offered("capture", "--coun")).toEqual(["--count"]);
  });

  for (const shell of ["zsh", "fish"] as const) {
    testRequiring([`program:${shell}`], `is a valid script of ${shell}`, async () => {
      using folder = new TemporaryFolder();
      const path = folder.write("script", completionFor(shell));
      const { exit, log } = await new Program([shell, "-n", path], folder.path).ended;
      expect([exit, log]).toEqual([0, ""]);
    });
  }

  test("is there for three shells", () => {
    expect(() => completionFor("tcsh")).toThrow("expected one of bash, zsh, fish, got tcsh");
  });
});
