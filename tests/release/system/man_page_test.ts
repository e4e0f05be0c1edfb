import { describe, expect, test } from "bun:test";
import { SERVICE_COMMANDS } from "../../../adapters/service/cli/help.ts";
import { SETTINGS } from "../../../adapters/service/settings/settings.ts";
import { manPage } from "../../../release/system/man_page.ts";
import { Program } from "../../support/program.ts";
import { testRequiring } from "../../support/requirements.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const page = manPage();
/** As a reader sees it, without the marks of roff. */
const text = page.replace(/\\f[BIR]/g, "").replaceAll("\\-", "-").replaceAll("\\(rs", "\\");

describe("the manual page", () => {
  test("has every setting and every command", () => {
    const names = Object.entries(SETTINGS).map(([key, { flag }]) => flag ?? key);
    for (const name of [...names, ...SERVICE_COMMANDS.map(([name]) => name)]) {
      expect(text).toContain(`\n.TP\n${name}\n`);
    }
  });

  // A line of text that begins with a dot or an apostrophe would vanish.
  test("has no request but those of its sections", () => {
    const requests = new Set(page.match(/^[.'].*?(?= |$)/gm));
    expect([...requests].sort())
      .toEqual([".B", ".PP", ".RE", ".RS", ".SH", ".TH", ".TP", ".br", ".fi", ".nf"]);
    expect(text).not.toMatch(/\]\(|`/); // no Markdown is left
  });

  testRequiring(["program:groff"], "is read without a warning", async () => {
    using folder = new TemporaryFolder();
    const path = folder.write("berth.1", page);
    const groff = ["groff", "-man", "-ww", "-Tutf8", path];
    const { exit, log, out } = await new Program(groff, folder.path).ended;
    expect([exit, log]).toEqual([0, ""]);
    expect(out).toContain("--publish");
  });
});
