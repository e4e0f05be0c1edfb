/**
 * A stack on a TUN device that watches its own event loop: `watched_stack.ts PROFILE OFFLOAD`.
 * Prints "ready", and, as JSON, what it measured between the lines "begin" and "end" on stdin.
 *
 * @module
 */
import process from "node:process";
import { openTun } from "../../adapters/links/tun/mod.ts";
import { createStack } from "../../core/api/stack.ts";
import { echo } from "../../plugins/echo.ts";
import { DelayWatch } from "./delays.ts";

const [profile, offload] = process.argv.slice(2);
const link = await openTun({
  name: "berth0",
  addresses: ["10.90.0.1/24"],
  offload: offload === "true",
});
const stack = createStack({
  link,
  addresses: ["10.90.0.2/24"],
  tcp: { profile: profile === "internet" ? "internet" : "local" },
});
stack.use(7, echo());

let watch: DelayWatch | undefined;
process.stdin.setEncoding("utf8").on("data", (line) => {
  if (String(line).trim() === "begin") watch = new DelayWatch();
  else console.log(JSON.stringify(watch?.stop()));
});
process.stdin.once("end", () => void stack.close().then(() => process.exit(0)));
console.log("ready");
