/**
 * Requirements of tests beyond the runtime. If one is missing, the test is reported as skipped;
 * with `CI=true` it fails instead, so that nothing is skipped unnoticed.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test } from "bun:test";
import { nativeSockets } from "../../adapters/host/native/sockets.ts";
import { openSsl } from "../../adapters/plugins/tls/openssl/library.ts";
import manifest from "../../deno.json" with { type: "json" };
import { nodeWithFfi } from "./node.ts";
import { ROOT } from "./source_files.ts";

/** The program of process 1. */
export const SYSTEMD = "/usr/lib/systemd/systemd";

/**
 * `"namespace"`: network namespaces can be made with `unshare`. `"tun"`: the same, and a TUN device
 * can be made in one. `"ipv6"`: the loopback device has an IPv6 address, which many containers
 * lack. `"root"`: root in the initial user namespace. `"libssl"`: OpenSSL 3 can be called by
 * foreign functions. `"native-sockets"`: so can the kernel's sockets. `"node-ffi"`: there is a Node.js
 * with foreign functions. `"systemd"`: root may give systemd a cgroup of its own. `"program:curl"`: `curl` is
 * on the PATH. `"python:h2"`: the system's Python has the module `h2`. `"site"`: the website of the documentation has
 * been built. `"tarball"`: so has the npm package.
 */
export type Requirement =
  | "namespace"
  | "tun"
  | "ipv6"
  | "root"
  | "libssl"
  | "native-sockets"
  | "node-ffi"
  | "systemd"
  | "site"
  | "tarball"
  | `program:${string}`
  | `python:${string}`;

/** Where `deno task site` builds the website. */
export const SITE: string = join(ROOT, "docs/site/dist");

/** What `deno task pack` makes of this version. */
export const TARBALL: string = join(ROOT, `dist/berth-berth-${manifest.version}.tgz`);

/** The system's Python, which has the modules of the distribution. */
export const PYTHON = "/usr/bin/python3";

/** Whether all requirements are met; if not, what is missing. */
export type Availability = { ok: true } | { ok: false; reason: string };

/** Checks requirements of this machine; each is probed once. */
export function requires(...requirements: readonly Requirement[]): Availability {
  const missing = requirements.map(reasonAgainst).filter((reason) => reason !== undefined);
  return missing.length === 0 ? { ok: true } : { ok: false, reason: missing.join("; ") };
}

/** `test()` for a test with requirements. */
export function testRequiring(
  requirements: readonly Requirement[],
  name: string,
  body: () => void | Promise<unknown>,
  timeoutMs?: number,
): void {
  const available = requires(...requirements);
  if (available.ok) return test(name, body, timeoutMs);
  if (process.env["CI"] === "true") {
    return test(name, () => {
      throw new Error(`cannot run here: ${available.reason}`);
    });
  }
  console.warn(`SKIPPED (${available.reason}): ${name}`);
  test.skip(`${name} [skipped: ${available.reason}]`, body);
}

/**
 * Command prefix to run a program in a new network namespace with the privilege to configure it:
 * `unshare`, with a user namespace if unprivileged.
 */
export function namespaceCommand(): readonly [string, ...string[]] {
  return process.getuid?.() === 0 ? ["unshare", "-n"] : ["unshare", "-Urn"];
}

const answers = new Map<Requirement, string | undefined>();

function reasonAgainst(requirement: Requirement): string | undefined {
  if (!answers.has(requirement)) answers.set(requirement, look(requirement));
  return answers.get(requirement);
}

function look(requirement: Requirement): string | undefined {
  switch (requirement) {
    case "namespace":
      return missingNamespace();
    case "tun":
      return reasonAgainst("namespace") ?? missingTun();
    case "root":
      return process.getuid?.() === 0 ? undefined : "needs root";
    case "libssl":
      return openSsl() ? undefined : "needs libssl.so.3 and foreign functions";
    case "native-sockets":
      return nativeSockets()
        ? undefined
        : "needs Linux, foreign functions and access to the network";
    case "node-ffi":
      return nodeWithFfi() ? undefined : "needs Node.js 26.6: npm install in tests/packages";
    case "systemd":
      return reasonAgainst("root") ?? reasonAgainst("tun") ?? missingSystemd();
    case "site":
      return existsSync(join(SITE, "index.html"))
        ? undefined
        : "needs docs/site/dist: deno task site";
    case "tarball":
      return existsSync(TARBALL) ? undefined : "needs dist/: deno task pack";
    case "ipv6":
      return hasIpv6() ? undefined : "needs the address ::1";
    default:
      return requirement.startsWith("python:")
        ? missingModule(requirement.slice("python:".length))
        : missingProgram(requirement.slice("program:".length));
  }
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((each) => each?.address === "::1");
}

function missingProgram(program: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return undefined;
    } catch {
      // not in this folder
    }
  }
  return `needs the program ${program}`;
}

function missingModule(name: string): string | undefined {
  const { status } = spawnSync(PYTHON, ["-c", `import ${name}`], { timeout: 10_000 });
  return status === 0 ? undefined : `needs ${PYTHON} with the module ${name}`;
}

function missingNamespace(): string | undefined {
  return inNamespace("true") ? undefined : "needs root or user namespaces, and unshare";
}

/** Opening `/dev/net/tun` needs no privilege, configuring it needs CAP_NET_ADMIN (bit 12). */
function missingTun(): string | undefined {
  const mayConfigure =
    `test $(( (0x$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status) >> 12) & 1 )) = 1`;
  return inNamespace(`: <>/dev/net/tun && ${mayConfigure}`)
    ? undefined
    : "needs a /dev/net/tun that can be opened, and CAP_NET_ADMIN";
}

function missingSystemd(): string | undefined {
  const script =
    "mount -t cgroup2 none /mnt && mkdir /mnt/berth-probe-$$ && rmdir /mnt/berth-probe-$$";
  const { status } = spawnSync("unshare", ["--mount", "sh", "-c", script], { timeout: 10_000 });
  return existsSync(SYSTEMD) && status === 0
    ? undefined
    : `needs ${SYSTEMD}, and to mount cgroup2 and make a cgroup`;
}

function inNamespace(script: string): boolean {
  const [program, ...options] = namespaceCommand();
  return spawnSync(program, [...options, "sh", "-c", script], { timeout: 10_000 }).status === 0;
}
