/**
 * The files that are installed with the program, by their absolute paths.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { completionFor } from "../../adapters/service/cli/completion.ts";
import { manPage } from "./man_page.ts";

/** The files by path; those whose names end in `.gz` are compressed. */
export const DISTRIBUTION_FILES: Readonly<Record<string, string>> = {
  "etc/berth/berth.json": `{
  // man berth; /usr/share/doc/berth
  "listen": { "80": "demo", "7": "echo" },
  "publish": ["8080=10.7.0.2:80"]
}
`,
  "usr/lib/systemd/system/berth.service": unitFile(),
  "usr/share/man/man1/berth.1.gz": manPage(),
  "usr/share/bash-completion/completions/berth": completionFor("bash"),
  "usr/share/zsh/vendor-completions/_berth": completionFor("zsh"),
  "usr/share/fish/vendor_completions.d/berth.fish": completionFor("fish"),
  "usr/share/doc/berth/copyright": readText("LICENSE"),
  "usr/share/doc/berth/operations.md": readText("docs/operations.md"),
  "usr/share/doc/berth/configuration.md": readText("docs/configuration.md"),
  "usr/share/doc/berth/berth.schema.json": readText("berth.schema.json"),
};

/** The unit of docs/operations.md, for the installed program. */
function unitFile(): string {
  const [, unit] = /```ini\n([^]*?)```/.exec(readText("docs/operations.md"))!;
  return unit!
    .replaceAll("/usr/local/bin/bun /opt/berth/main.ts", "/usr/bin/berth")
    .replace(
      /^Documentation=.*$/m,
      "Documentation=man:berth(1) file:///usr/share/doc/berth/operations.md",
    );
}

function readText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}
