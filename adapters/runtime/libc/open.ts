/**
 * Opens the C library, if this platform and the program's permissions allow it.
 *
 * @module
 */
import process from "node:process";
import { type RuntimeName, runtimeName } from "../runtime.ts";
import type { LibcHost } from "./host.ts";
import { bunHost } from "./host_bun.ts";
import { denoHost } from "./host_deno.ts";
import { nodeHost } from "./host_node.ts";

declare const Deno: {
  permissions: { querySync(what: { name: string }): { state: string } };
};

/** Whether the structures of `linux.ts` are those of the platform. */
export function isSupported({ platform, arch }: { platform: string; arch: string }): boolean {
  return platform === "linux" && (arch === "x64" || arch === "arm64");
}

/**
 * The C library. Deno prompts for a permission that it lacks.
 *
 * @throws {Error} The library cannot be loaded.
 */
export function libcHost(): LibcHost {
  return HOSTS[runtimeName()]();
}

const HOSTS: Readonly<Record<RuntimeName, () => LibcHost>> = {
  deno: denoHost,
  bun: bunHost,
  node: nodeHost,
};

/**
 * Whether {@link libcHost} works without a prompt, and its sockets may reach every address: foreign
 * functions bypass the limits of Deno's `--allow-net=…`, so that permission has to be complete. So has
 * `--allow-ffi`, because reading `errno` needs access to memory. On Node.js, whose foreign functions are experimental, only
 * devices use them.
 */
export function mayUseSockets(): boolean {
  if (!isSupported(process) || runtimeName() === "node") return false;
  if (runtimeName() === "bun") return true;
  return ["net", "ffi"].every((name) => Deno.permissions.querySync({ name }).state === "granted");
}
