#!/usr/bin/env sh
":" //; command -v bun >/dev/null && exec bun "$0" "$@"
":" //; command -v deno >/dev/null && exec deno run -A "$(readlink -f "$0")" "$@"
":" //; echo "create-berth: needs Deno or Bun, and neither is on the PATH: npm install -g bun" >&2; exit 1

// A shell does not reach this line; for Deno and Bun the lines above are strings and comments.
import process from "node:process";

process.argv.splice(2, 0, "init");
await import("@berth/berth/cli");
