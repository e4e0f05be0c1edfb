import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../../../adapters/service/cli/arguments.ts";
import {
  type Permissions,
  permissionsFor,
  requirePermissions,
} from "../../../../adapters/service/cli/permissions.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";

function needs(...flags: string[]) {
  return permissionsFor(mergeSettings(parseArguments(flags).settings, {}));
}

/** Permissions of `deno run` with these flags: `"net"`, or `"net=127.0.0.1:80"`. */
function allowing(...granted: string[]): Permissions {
  return {
    querySync({ name, ...limit }) {
      const [value] = Object.values(limit);
      const isGranted = granted.includes(name) || granted.includes(`${name}=${value}`);
      return { state: isGranted ? "granted" : "prompt" };
    },
  };
}

describe("permissionsFor", () => {
  // Only the permissions that are used.
  test.each([
    [["--listen", "7=echo"], "net"],
    [["--tun", "t0", "--address", "10.7.0.2/24", "--listen", "7=echo"], "ffi,sys"],
    [["--tun", "t0", "--address", "10.7.0.2/24", "--listen", "*=egress"], "ffi,net,sys"],
    [["--link", "tap:t0", "--address", "10.7.0.2/24", "--listen", "7=echo"], "ffi,sys"],
    [["--listen", "80=http:./app.ts"], "net,read"],
    [["--listen", "80=forward:unix:/run/x.sock"], "net,read,write"],
    [["--listen", "443=tls:cert.pem,key.pem+echo"], "env,net,read,write"],
    [["--listen", "7=echo", "--capture", "x.pcapng"], "net,read,write"],
    [["--listen", "7=echo", "--capture", "-"], "net"],
    [["--listen", "7=echo", "--admin", "unix:/run/b.sock"], "net,read,write"],
  ])("of %j is %s", (flags, expected) => {
    expect([...needs(...flags).keys()].sort().join()).toBe(expected);
  });
});

describe("requirePermissions", () => {
  // One line with the missing and the sufficient flags.
  test("says which flags are missing", () => {
    const needed = needs("--listen", "80=http:./app.ts", "--publish", "8080=10.7.0.2:80");
    expect(() => requirePermissions(needed, allowing("read"))).toThrow(
      "Deno was started without --allow-net: use deno run -A main.ts, or deno run " +
        "--allow-net --allow-read main.ts",
    );
    expect(() => requirePermissions(needed, allowing("net", "read"))).not.toThrow();
  });

  // A list of hosts is sufficient if it includes the published ones.
  test("accepts partial permissions", () => {
    const needed = needs("--listen", "7=echo", "--publish", "8007=10.7.0.2:7");
    expect(() => requirePermissions(needed, allowing("net=127.0.0.1:8007"))).not.toThrow();
    expect(() => requirePermissions(needed, allowing("net=127.0.0.1:8008"))).toThrow("--allow-net");
  });
});
