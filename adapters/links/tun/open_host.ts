import process from "node:process";
import { messageOf } from "../../../core/api/error_text.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { TunError } from "./error.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";

/**
 * The {@link LibcHost} for this runtime.
 *
 * @throws {TunError} The platform is not supported, or foreign functions are not allowed.
 */
export async function openHost(): Promise<LibcHost> {
  const { platform, arch } = process;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    throw new TunError(
      "UNSUPPORTED_PLATFORM",
      `TUN devices need Linux on x86-64 or arm64, not ${platform} on ${arch}: use the memory link`,
    );
  }
  const runtime = runtimeName();
  try {
    return runtime === "deno"
      ? (await import("../../runtime/libc/host_deno.ts")).denoHost()
      : await (await import("../../runtime/libc/host_bun.ts")).bunHost();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "NotCapable") {
      throw new TunError("NO_PRIVILEGE", "Deno needs --allow-ffi (or -A) for a TUN device", {
        cause,
      });
    }
    throw new TunError("SYSTEM", `The C library cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}
