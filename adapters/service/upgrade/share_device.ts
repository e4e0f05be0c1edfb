/**
 * Makes a device shareable by several processes.
 *
 * @module
 */
import { systemRandom } from "../../../core/api/environment.ts";
import type { Link } from "../../../core/stack/link.ts";
import { readI32 } from "../../../core/wire/bytes.ts";
import { nativeSockets } from "../../host/native/sockets.ts";
import { TunLink } from "../../links/tun/link.ts";
import { GenerationLink } from "./generation_link.ts";
import type { StackIdentity } from "./identity.ts";
import type { ShardInheritance } from "./inheritance.ts";

/**
 * The shareable form of a link; `undefined` if the link is not a TUN device, or the host's sockets are not available.
 * If this process follows another one, the link receives nothing until that process has handed over.
 *
 * @throws {Error} A descriptor cannot be used.
 */
export function shareDevice(
  link: Link,
  { number }: StackIdentity,
  inheritance?: ShardInheritance,
): GenerationLink | undefined {
  const sockets = nativeSockets();
  if (!(link instanceof TunLink) || !link.canPause || sockets === undefined) return undefined;
  const seed = new Uint8Array(4);
  systemRandom.fill(seed);
  const shared = new GenerationLink(link, number, readI32(seed, 0), sockets);
  const { predecessor, channel, earlier } = inheritance ?? {};
  if (channel !== undefined) shared.await(predecessor!, channel, earlier!);
  return shared;
}
