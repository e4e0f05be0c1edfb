/**
 * A stack on a TUN device with options that the service has no flags for: `stack.ts JSON`, see
 * {@link StackProgramOptions}. Prints "ready"; ends when its stdin is closed.
 *
 * @module
 */
import process from "node:process";
import { impair } from "../../../adapters/links/decorators/impair.ts";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { systemClock } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Link } from "../../../core/stack/link.ts";
import { echo } from "../../../plugins/echo.ts";
import { http } from "../../../plugins/http.ts";
import app from "./app.ts";
import { loseIncoming } from "./lose_incoming.ts";

/** Options of the program. */
export interface StackProgramOptions {
  profile: "local" | "internet";
  /** Whether the device uses super-packets and checksum offload. */
  offload: boolean;
  /** Share of packets that are lost in each direction. */
  loss?: number;
}

const { profile, offload, loss = 0 }: StackProgramOptions = JSON.parse(process.argv[2] ?? "{}");
const device = await openTun({ name: "berth0", addresses: ["10.90.0.1/24"], offload });
if (device.features.maxSuperPacket > 0 !== offload) {
  throw new Error("the device has other features");
}
const link = loss > 0 ? lossy(device, loss) : device;
const stack = createStack({ link, addresses: ["10.90.0.2/24"], tcp: { profile } });
stack.use(7, echo()).use(80, http(app));
console.log("ready");
for await (const _ of process.stdin);
await stack.close();
process.exit(0);

function lossy(link: Link, loss: number): Link {
  return loseIncoming(impair(link, { seed: 1, clock: systemClock, loss }), { seed: 2, loss });
}
