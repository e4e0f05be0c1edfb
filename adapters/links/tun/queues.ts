import type { Link } from "../../../core/stack/link.ts";
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import { type Device, openQueues } from "./device.ts";
import { TunLink } from "./link.ts";
import { reuseQueues } from "./inherited.ts";
import { untilLocal } from "./netlink.ts";
import { openHost } from "./open_host.ts";
import { parseTunOptions, type TunOptions } from "./options.ts";
import { steer } from "./steering.ts";

/** A device with several queues. */
export interface TunQueues {
  /** The queues in the order of `shardOf()`; any thread can take one over. */
  readonly queues: readonly Device[];
  /** Whether the kernel delivers packets to the queue of their shard. */
  readonly steered: boolean;
}

/**
 * {@link openTun} with several queues; packets are distributed by `shardOf()` with `seed`. `kept` has the queues, if
 * they have been kept open since an earlier start.
 *
 * @throws {TunError} The device cannot be opened; `code` and the message say why and what to do.
 */
export async function openTunQueues(
  options: TunOptions,
  count: number,
  seed: ShardSeed,
  kept: readonly number[] = [],
): Promise<TunQueues> {
  const wanted = parseTunOptions(options);
  const host = openHost();
  let queues: readonly Device[] = [];
  try {
    queues = kept.length > 0 ? reuseQueues(host, wanted, kept) : openQueues(host, wanted, count);
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

/** A link on a queue, which may have been opened by another thread; the queue is closed with it. */
export function takeOverQueue(queue: Device): Link {
  const host = openHost();
  try {
    return TunLink.open(host, queue);
  } catch (error) {
    host.close();
    throw error;
  }
}
