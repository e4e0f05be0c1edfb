/**
 * Checks that connections work over a link.
 *
 * @module
 */
import { createStack } from "../../core/api/stack.ts";
import type { Link } from "../../core/stack/link.ts";
import { echo } from "../../plugins/echo.ts";
import { pattern } from "./packets.ts";

/** Runs a stack on each end; resolves when `size` bytes have been echoed. */
export async function echoOver(left: Link, right: Link, size: number): Promise<void> {
  await using there = createStack({ link: right, addresses: ["10.0.0.2/24"] });
  there.use(7, echo());
  await using here = createStack({ link: left, addresses: ["10.0.0.1/24"] });
  await using socket = here.connect("10.0.0.2:7", { allowHalfOpen: true });
  const sent = pattern(size);
  const writing = socket.write(sent).then(() => socket.closeWrite());
  const got: Uint8Array[] = [];
  for await (const chunk of socket) got.push(chunk.slice());
  await writing;
  if (!Buffer.concat(got).equals(sent)) throw new Error("what came back is not what was sent");
}
