/**
 * Makes `dist/berth_VERSION_ARCHITECTURE.deb`, and a tarball of the same files: the single program of
 * `deno task binary`, a unit for systemd, completions and the manual page.
 *
 *     deno task deb
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import manifest from "../../deno.json" with { type: "json" };
import { DISTRIBUTION_FILES } from "./files.ts";

/** Packs a program with its other files; returns the paths of the package and of the tarball. */
export function makePackages(binary: string, out: string): { deb: string; tarball: string } {
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  const name = `berth_${manifest.version}_${architecture}`;
  const [deb, tarball] = [join(out, `${name}.deb`), join(out, `${name}.tar.gz`)];
  const root = join(out, name);
  rmSync(root, { recursive: true, force: true });
  for (const [path, text] of Object.entries(DISTRIBUTION_FILES)) {
    write(join(root, path), path.endsWith(".gz") ? gzipSync(text, { level: 9 }) : text);
  }
  mkdirSync(join(root, "usr/bin"));
  cpSync(binary, join(root, "usr/bin/berth"));
  chmodSync(join(root, "usr/bin/berth"), 0o755);
  // The files belong to root, whichever user runs this program.
  const owner = ["--owner=0", "--group=0", "--sort=name"];
  execFileSync("tar", ["czf", tarball, ...owner, "-C", root, "etc", "usr"]);

  write(join(root, "DEBIAN/conffiles"), "/etc/berth/berth.json\n");
  write(join(root, "DEBIAN/control"), controlFile(architecture, statSync(binary).size));
  // xz would take minutes, because the program contains a runtime.
  execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", root, deb], {
    stdio: "pipe",
  });
  rmSync(root, { recursive: true });
  return { deb, tarball };
}

function controlFile(architecture: string, size: number): string {
  return `Package: berth
Version: ${manifest.version}
Architecture: ${architecture}
Maintainer: the berth project <berth@localhost>
Installed-Size: ${Math.ceil(size / 1024)}
Depends: libc6
Recommends: libssl3t64 | libssl3
Section: net
Priority: optional
Description: user-space TCP/IP stack that serves plugins
 berth answers addresses on a TUN device or another link, and a plugin serves
 each of its ports. The service does not start by itself: write
 /etc/berth/berth.json, then run "systemctl enable --now berth".
`;
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode: 0o644 });
}

if (import.meta.main) {
  const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
  const binary = join(dist, "berth");
  if (!existsSync(binary)) throw new Error("there is no dist/berth: run deno task binary first");
  const { deb, tarball } = makePackages(binary, dist);
  console.log(`${deb}\n${tarball}`);
}
