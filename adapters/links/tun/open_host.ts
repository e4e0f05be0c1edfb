import process from "node:process";
import { messageOf } from "../../../core/api/error_text.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { NoForeignFunctionsError } from "../../runtime/libc/host_node.ts";
import { isSupported, libcHost } from "../../runtime/libc/open.ts";
import { TunError } from "./error.ts";

/**
 * The {@link LibcHost} for this runtime.
 *
 * @throws {TunError} The platform is not supported, or foreign functions are not allowed.
 */
export function openHost(): LibcHost {
  const { platform, arch } = process;
  if (!isSupported(process)) {
    throw new TunError(
      "UNSUPPORTED_PLATFORM",
      `TUN devices need Linux on x86-64 or arm64, not ${platform} on ${arch}: use the memory link`,
    );
  }
  try {
    return libcHost();
  } catch (cause) {
    if (cause instanceof Error && cause.name === "NotCapable") {
      throw new TunError("NO_PRIVILEGE", "Deno needs --allow-ffi (or -A) for a TUN device", {
        cause,
      });
    }
    if (cause instanceof NoForeignFunctionsError) {
      throw new TunError(
        "UNSUPPORTED_PLATFORM",
        `A TUN or TAP device needs Deno, Bun, or Node.js 26.6 or later without --no-experimental-ffi; this is Node.js ${process.versions.node}`,
        { cause },
      );
    }
    if ((cause as { code?: unknown })?.code === "ERR_ACCESS_DENIED") {
      throw new TunError("NO_PRIVILEGE", "Node.js needs --allow-ffi for a TUN device", { cause });
    }
    throw new TunError("SYSTEM", `The C library cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}
