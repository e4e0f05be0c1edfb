import type { Link } from "../../../core/stack/link.ts";
import { type Device, openQueues } from "./device.ts";
import { TunLink } from "./link.ts";
import { untilLocal } from "./netlink.ts";
import { openHost } from "./open_host.ts";
import { parseTunOptions, type TunOptions } from "./options.ts";
import { steer } from "./steering.ts";

/** A device with several queues. */
export interface TunQueues {
  /** One for each queue, in the order of `shardOf()`; any thread can take it over. */
  readonly queues: readonly Device[];
  /** The kernel puts every packet that can be put somewhere into its shard's queue. */
  readonly steered: boolean;
}

/**
 * {@link openTun} with several queues, whose packets are spread by `shardOf()` with `seed`.
 *
 * @throws {TunError} It cannot be had; `code` and the message say why and what to do.
 */
export async function openTunQueues(
  options: TunOptions,
  count: number,
  seed: number,
): Promise<TunQueues> {
  const wanted = parseTunOptions(options);
  const host = await openHost();
  let queues: readonly Device[] = [];
  try {
    queues = openQueues(host, wanted, count);
    const steered = steer(host, queues[0]!.fd, count, seed);
    for (const { address } of wanted.addresses) await untilLocal(host, address);
    return { queues, steered };
  } catch (error) {
    for (const { fd } of queues) host.libc.close(fd);
    throw error;
  } finally {
    host.close();
  }
}

/** The link of a queue that another thread may have opened; the queue is closed with it. */
export async function adoptQueue(queue: Device): Promise<Link> {
  const host = await openHost();
  try {
    return TunLink.open(host, queue);
  } catch (error) {
    host.close();
    throw error;
  }
}
