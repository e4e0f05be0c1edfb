import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../../adapters/service/settings/config.ts";
import { makePackages } from "../../../release/system/deb.ts";
import { DISTRIBUTION_FILES } from "../../../release/system/files.ts";
import { Program } from "../../support/program.ts";
import { testRequiring } from "../../support/requirements.ts";
import { ROOT } from "../../support/source_files.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const unit = DISTRIBUTION_FILES["usr/lib/systemd/system/berth.service"]!;

describe("the files beside the program", () => {
  // The unit of docs/operations.md, which runs a checkout, with another program.
  test("have a unit that runs the installed program", () => {
    const commands = unit.match(/^Exec\w+=.*$/gm)!;
    expect(commands.map((line) => line.split(" ")[0]))
      .toEqual(["ExecStart=/usr/bin/berth", "ExecReload=/usr/bin/berth"]);
    expect(unit).not.toMatch(/\bbun\b|\/opt\//);
  });

  testRequiring(["program:systemd-analyze"], "have a unit that systemd accepts", async () => {
    using folder = new TemporaryFolder();
    const path = folder.write(
      "berth.service",
      unit.replaceAll("/usr/bin/berth", process.execPath),
    );
    const verify = ["systemd-analyze", "--no-pager", "verify", "--man=no", path];
    expect(await new Program(verify, folder.path).ended).toMatchObject({ log: "", exit: 0 });
  });

  test("have a configuration that the program accepts", () => {
    const settings = parseConfig(DISTRIBUTION_FILES["etc/berth/berth.json"]!, "/etc/berth.json");
    expect(settings.listen?.length).toBe(2);
  });
});

describe("the Debian package", () => {
  testRequiring(["program:dpkg-deb"], "has the program, its files and no others", async () => {
    using folder = new TemporaryFolder();
    const binary = folder.write("program", "#!/bin/sh\necho berth\n");
    const { deb, tarball } = makePackages(binary, folder.path);
    const output = async (...command: string[]) => {
      const { exit, out, log } = await new Program(command, folder.path).ended;
      expect([exit, log]).toEqual([0, ""]);
      return out;
    };
    const contents = (await output("dpkg-deb", "--contents", deb)).trim().split("\n");
    const files = contents.filter((line) => !line.endsWith("/"));
    const paths = files.map((line) => line.replace(/^.* \.\//, "")).sort();
    expect(paths).toEqual([...Object.keys(DISTRIBUTION_FILES), "usr/bin/berth"].sort());
    expect(contents.filter((line) => !line.includes("root/root"))).toEqual([]);
    expect(files.find((line) => line.endsWith("usr/bin/berth"))).toMatch(/^-rwxr-xr-x/);
    const version = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).version;
    expect(await output("dpkg-deb", "--field", deb, "Version")).toBe(`${version}\n`);
    const inTarball = (await output("tar", "tzf", tarball)).trim().split("\n");
    expect(inTarball.filter((path) => !path.endsWith("/")).sort()).toEqual(paths);
  });
});

describe("the container file", () => {
  test("has fewer than ten lines, and builds as deno task binary does", () => {
    const lines = readFileSync(join(ROOT, "release/Containerfile"), "utf8").trim().split("\n");
    expect(lines.length).toBeLessThan(10);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const { tasks } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
    expect(lines.join("\n")).toContain("bun run binary");
    expect(scripts.binary).toBe(tasks.binary.command.replace("npx -y bun@1", "bun"));
    expect(scripts.binary).toMatch(/--outfile dist\/berth$/);
  });
});
